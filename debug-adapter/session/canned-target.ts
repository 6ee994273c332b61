/**
 * A guest that is none, for tests of what needs no KVM: the memory of an image, registers, and stops that follow from a number,
 * the same each time.
 */
import type { ElfFile } from '../symbols/elf.ts';
import { defaultLayout } from '../target/register-layouts.ts';
import { type Target, type TargetEnd, TargetError, type TargetStop } from '../target/target.ts';

/** GDB's `g` packet for x86-64. */
const LAYOUT_BYTES = 536;
const PAGE = 4096n;
const CPUS = 2;
/** Of the guest's RAM, at addresses that no image claims. */
const STACK = 0x7_0000n;

export class CannedTarget implements Target {
  readonly name = 'a canned guest';
  readonly registers = defaultLayout(LAYOUT_BYTES) ?? [];
  readonly missing = [];
  readonly can = {
    rangeStep: true,
    hardwareBreakpoints: true,
    watchpoints: true,
    physicalMemory: true,
    conditions: true,
    counts: true,
  };
  private readonly variables = new Map<number, bigint>();
  private readonly values = Array.from({ length: CPUS }, () => new Map<string, Uint8Array>());
  private readonly written = new Map<bigint, number>();
  private readonly planted = new Map<bigint, number>();
  private stopped: (stop: TargetStop) => void = () => undefined;
  private ended: (end: TargetEnd) => void = () => undefined;
  private running: number | undefined;
  private resumes = 0;
  private over = false;

  /**
   * @param image An ELF file, whose entry is where the guest stands.
   * @param script What the first resumes end with.
   */
  constructor(
    private readonly image: ElfFile,
    private readonly script: readonly TargetStop['reason'][] = [],
  ) {
    for (const registers of this.values) {
      for (const { name, bits } of this.registers) registers.set(name, new Uint8Array(bits / 8));
      this.set(registers, 'rip', image.entry);
      this.set(registers, 'rsp', STACK);
    }
  }

  async threads() {
    return this.values.map((_, index) => ({ id: index + 1, name: `vCPU ${index}` }));
  }

  async readRegisters(thread: number) {
    return new Map(this.of(thread));
  }

  async readRegister(thread: number, name: string) {
    return this.of(thread).get(name) ?? this.refuse(`no register ${name}`);
  }

  async systemRegisters() {
    return new Map<string, bigint>();
  }

  async writeRegister(thread: number, name: string, value: Uint8Array) {
    this.of(thread).set(name, value);
  }

  async readMemory(_thread: number, address: bigint, length: number) {
    return this.readPhysical(address, length);
  }

  async writeMemory(_thread: number, address: bigint, data: Uint8Array) {
    await this.writePhysical(address, data);
  }

  async readPhysical(address: bigint, length: number) {
    const bytes: number[] = [];
    for (let at = 0; at < length; at++) {
      const place = address + BigInt(at);
      const byte = this.written.get(place) ?? this.image.load(place, 1)[0] ?? (place / PAGE < 256n ? 0 : undefined);
      if (byte === undefined) break;
      bytes.push(byte);
    }
    return Uint8Array.from(bytes);
  }

  async writePhysical(address: bigint, data: Uint8Array) {
    if ((await this.readPhysical(address, data.length)).length < data.length) this.refuse('nothing is mapped there');
    data.forEach((byte, at) => {
      this.written.set(address + BigInt(at), byte);
    });
  }

  async insertBreakpoint(_kind: string, address: bigint) {
    if (address >> 47n !== 0n && address >> 47n !== 0x1_ffffn) this.refuse('the address is not canonical');
    this.planted.set(address, (this.planted.get(address) ?? 0) + 1);
  }

  async removeBreakpoint(_kind: string, address: bigint) {
    this.planted.delete(address);
  }

  async resume(thread: number) {
    if (this.over) this.refuse('the guest has ended');
    this.running = thread;
    setImmediate(() => this.moveOn());
  }

  async interrupt() {
    setImmediate(() => this.stopWith({ kind: 'pause' }));
  }

  async readVariable(number: number) {
    return this.variables.get(number) ?? 0n;
  }

  async setVariable(number: number, value: bigint) {
    this.variables.set(number, value);
  }

  async monitor() {
    return '';
  }

  async kill() {
    this.over = true;
    this.image.close();
  }

  async detach() {
    this.over = true;
  }

  onStop(listener: (stop: TargetStop) => void) {
    this.stopped = listener;
  }

  onPrint() {
    return undefined;
  }

  onEnd(listener: (end: TargetEnd) => void) {
    this.ended = listener;
  }

  onLost() {
    return undefined;
  }

  /** Each resume in another way: to a breakpoint, by a step, into an exception; seldom on and on, or to the end. */
  private moveOn(): void {
    const way = ++this.resumes;
    const [place] = this.planted.keys();
    if (this.running === undefined || this.over) return;
    const scripted = this.script[way - 1];
    if (scripted) {
      if (scripted.kind === 'breakpoint' && place !== undefined) this.set(this.of(this.running), 'rip', place);
      this.stopWith(scripted);
    } else if (way % 211 === 0) {
      this.over = true;
      this.ended({ exitStatus: 0, message: 'The guest switched itself off.' });
    } else if (place !== undefined && way % 3 === 0) {
      this.set(this.of(this.running), 'rip', place);
      this.stopWith({ kind: 'breakpoint', hardware: false });
    } else if (way % 7 === 0) this.stopWith({ kind: 'exception', message: '#PF', vectors: [14] });
    else if (way % 11 !== 0) {
      this.set(this.of(this.running), 'rip', this.image.entry + BigInt(way % 64));
      this.stopWith({ kind: 'step' });
    }
  }

  private stopWith(reason: TargetStop['reason']): void {
    const thread = this.running;
    this.running = undefined;
    if (thread !== undefined && !this.over) this.stopped({ thread, reason });
  }

  private of(thread: number): Map<string, Uint8Array> {
    return this.values[thread - 1] ?? this.refuse(`no vCPU ${thread}`);
  }

  private set(registers: Map<string, Uint8Array>, name: string, value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    registers.set(name, bytes);
  }

  private refuse(why: string): never {
    throw new TargetError(why);
  }
}
