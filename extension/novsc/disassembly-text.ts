/** Instructions as text: address, bytes and mnemonic, below the names of the symbols and source lines that they begin. */

/** The fields of DAP's DisassembledInstruction that are used here. */
export interface Instruction {
  readonly address: string;
  readonly instructionBytes?: string;
  readonly instruction: string;
  /** `name` or `name+4`. */
  readonly symbol?: string;
  readonly location?: { readonly name?: string; readonly path?: string };
  readonly line?: number;
  /** `invalid` where nothing is mapped. */
  readonly presentationHint?: string;
}

/** Columns of the bytes: most instructions have no more than 8. */
const BYTES_WIDTH = 24;

/** What each line of an instruction begins with. */
export const addressText = (address: string): string =>
  BigInt.asUintN(64, BigInt(address)).toString(16).padStart(16, '0');

export function disassemblyText(instructions: readonly Instruction[]): string {
  const there = instructions.filter(({ presentationHint }) => presentationHint !== 'invalid');
  const lines: string[] = [];
  let inside = '';
  for (const one of there) {
    const [name = ''] = one.symbol?.split('+') ?? [];
    if (one.symbol !== undefined && name !== inside) lines.push(`${one.symbol}:`);
    inside = name;
    const file = one.location?.name ?? one.location?.path;
    if (file !== undefined && one.line !== undefined) lines.push(`; ${file}:${one.line}`);
    lines.push(
      `${addressText(one.address)}  ${(one.instructionBytes ?? '').padEnd(BYTES_WIDTH)}  ${one.instruction}`.trimEnd(),
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}
