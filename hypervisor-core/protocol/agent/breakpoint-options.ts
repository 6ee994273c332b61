/**
 * What may follow the place in a `Z0` or `Z1` packet (GDB manual, appendix E.2):
 *
 *     Z0,ADDRESS,KIND ;XLEN,EXPR XLEN,EXPR ... ;cmds:PERSIST,XLEN,EXPR XLEN,EXPR ...
 *
 * (without the blanks; LEN in hexadecimal, EXPR as two digits a byte). The breakpoint stops when one of the conditions is
 * not zero, or when there is none; with commands it then runs these and does not stop. gdb puts no separator between
 * expressions, so one is taken but not wanted. Our own `;cr3:VALUE` binds the breakpoint to one address space, for planting
 * and for stopping: VALUE is compared with CR3 as far as it names the page table. Options that are not known are skipped,
 * as other stubs skip this one.
 *
 * Hit counts need no words of their own: an expression counts in a trace state variable, `getv` 1, add, `setv` 1, which
 * `QTDV:1:VALUE` sets and `qTV:1` reads. There are variables 0 to 1023, shared by everybody, 0 at first. All conditions of
 * everybody at an address are evaluated at each visit, also when one holds already, so that all that count do.
 */
import { hexToBytes } from '../rsp.ts';

export interface BreakpointOptions {
  /** Agent expressions; stops when one is not zero, or when there is none. */
  readonly conditions: readonly Uint8Array[];
  /** Agent expressions to evaluate instead of stopping, once the conditions say so. */
  readonly commands: readonly Uint8Array[];
  /** Stops only in this address space: CR3 without the PCID and the cache bits. */
  readonly cr3?: bigint;
}

/** Expressions of one breakpoint; the packet bounds their length. */
const MOST_EXPRESSIONS = 64;

/** Reads the options after the place, from the first `;` on; undefined when they are not of that form. */
export function parseBreakpointOptions(text: string): BreakpointOptions | undefined {
  const conditions: Uint8Array[] = [];
  const commands: Uint8Array[] = [];
  let cr3: bigint | undefined;
  for (const option of text.split(';').slice(1)) {
    const commandList = /^cmds:[01],(.*)$/.exec(option)?.[1];
    const space = /^cr3:([0-9a-fA-F]{1,16})$/.exec(option)?.[1];
    if (space !== undefined) cr3 = BigInt(`0x${space}`);
    else if (commandList !== undefined || option.startsWith('X')) {
      const expressions = parseExpressions(commandList ?? option);
      if (!expressions) return undefined;
      (commandList === undefined ? conditions : commands).push(...expressions);
    }
  }
  if (conditions.length + commands.length > MOST_EXPRESSIONS) return undefined;
  return { conditions, commands, ...(cr3 !== undefined && { cr3 }) };
}

function parseExpressions(text: string): Uint8Array[] | undefined {
  const expressions: Uint8Array[] = [];
  for (let rest = text; rest !== ''; ) {
    const [head, length = ''] = /^X([0-9a-fA-F]{1,4}),/.exec(rest) ?? [];
    if (head === undefined) return undefined;
    const digits = 2 * Number.parseInt(length, 16);
    const bytes = hexToBytes(rest.slice(head.length, head.length + digits));
    if (!bytes || 2 * bytes.length !== digits) return undefined;
    expressions.push(bytes);
    rest = rest.slice(head.length + digits);
  }
  return expressions;
}

/** The options as a packet has them, `;` included; the empty string for none. */
export function formatBreakpointOptions({ conditions, commands, cr3 }: BreakpointOptions): string {
  const expressions = (list: readonly Uint8Array[]) =>
    list.map((bytes) => `X${bytes.length.toString(16)},${Buffer.from(bytes).toString('hex')}`).join('');
  return [
    conditions.length > 0 ? `;${expressions(conditions)}` : '',
    commands.length > 0 ? `;cmds:0,${expressions(commands)}` : '',
    cr3 === undefined ? '' : `;cr3:${cr3.toString(16)}`,
  ].join('');
}
