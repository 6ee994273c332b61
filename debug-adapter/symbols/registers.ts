/** DWARF's register numbers by GDB's names: x86-64 psABI figure 3.36, i386 psABI table 2.14. */
import { tableFor } from './register-tables.ts';

export type Registers = ReadonlyMap<string, bigint>;

const mask32 = 0xffff_ffffn;

/** Registers that a function keeps for its caller. */
const preserved64 = new Set(['rbx', 'rbp', 'r12', 'r13', 'r14', 'r15']);
const preserved32 = new Set(['ebx', 'ebp', 'esi', 'edi']);

/**
 * How DWARF of one image sees a frame's registers. A 32-bit image may run under a stub that describes 64-bit registers:
 * then `eax` is the lower half of `rax`.
 */
export class RegisterModel {
  private readonly byNumber: ReadonlyMap<number, string>;
  private readonly numbers: ReadonlyMap<string, number>;
  readonly wordSize: 4 | 8;
  /** DWARF's number of the column that holds the return address. */
  readonly stackPointer: number;
  readonly preserved: ReadonlySet<string>;
  private readonly lost: ReadonlySet<string>;

  constructor(
    machine: 'x86-64' | 'i386',
    /** The stub's names are those of 64-bit mode. */
    private readonly wideNames: boolean,
  ) {
    this.byNumber = tableFor(machine);
    this.wordSize = machine === 'x86-64' ? 8 : 4;
    this.numbers = new Map([...this.byNumber].map(([number, name]) => [name, number]));
    this.stackPointer = machine === 'x86-64' ? 7 : 4;
    this.preserved = machine === 'x86-64' ? preserved64 : preserved32;
    const general = [...this.byNumber].filter(([number]) => number < (machine === 'x86-64' ? 17 : 10));
    const vectors = [...this.byNumber.values()].filter((name) => /^(xmm|st|mm)\d/.test(name));
    const lost = [...general.map(([, name]) => name), ...vectors, 'eflags'].filter((name) => !this.preserved.has(name));
    this.lost = new Set(lost.flatMap((name) => [name, this.outer(name)]));
  }

  static for(machine: 'x86-64' | 'i386', registers: Registers): RegisterModel {
    return new RegisterModel(machine, machine === 'i386' && registers.has('rip'));
  }

  name(number: number): string | undefined {
    const name = this.byNumber.get(number);
    return name === undefined ? undefined : this.outer(name);
  }

  get programCounterName(): string {
    return this.outer(this.wordSize === 8 ? 'rip' : 'eip');
  }

  get stackPointerName(): string {
    return this.outer(this.wordSize === 8 ? 'rsp' : 'esp');
  }

  get framePointerName(): string {
    return this.outer(this.wordSize === 8 ? 'rbp' : 'ebp');
  }

  /** Whether a call may change it without restoring it. */
  isLost(name: string): boolean {
    return this.lost.has(name);
  }

  isPreserved(number: number): boolean {
    return this.preserved.has(this.byNumber.get(number) ?? '');
  }

  value(registers: Registers, number: number): bigint | undefined {
    const name = this.byNumber.get(number);
    if (name === undefined) return undefined;
    const value = registers.get(this.outer(name));
    return value === undefined || this.wordSize === 8 ? value : value & mask32;
  }

  number(name: string): number | undefined {
    return this.numbers.get(name);
  }

  private outer(name: string): string {
    return this.wideNames && /^e(ax|bx|cx|dx|si|di|bp|sp|ip)$/.test(name) ? `r${name.slice(1)}` : name;
  }
}
