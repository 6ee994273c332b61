/** Memory as text: address, 16 bytes in hexadecimal, and what is printable of them. */

const PER_LINE = 16;

export function hexDump(address: bigint, bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += PER_LINE) {
    const row = [...bytes.subarray(offset, offset + PER_LINE)];
    const cells = row.map((byte) => byte.toString(16).padStart(2, '0'));
    const halves = [cells.slice(0, 8).join(' '), cells.slice(8).join(' ')].join('  ');
    const printable = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    const at = BigInt.asUintN(64, address + BigInt(offset)).toString(16);
    lines.push(`${at.padStart(16, '0')}  ${halves.padEnd(49)}  ${printable}\n`);
  }
  return lines.join('');
}
