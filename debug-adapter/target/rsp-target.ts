/**
 * A target over any GDB stub: QEMU's, or our core's, which says more than others but nothing that others' stubs could not
 * leave out.
 */
import type { Socket } from 'node:net';
import type { MessageConnection } from 'vscode-jsonrpc';
import { formatBreakpointOptions } from '../../hypervisor-core/protocol/agent/breakpoint-options.ts';
import { bytesToHex, hexToBytes, parseThreadId, textToHex } from '../../hypervisor-core/protocol/rsp.ts';
import { RspClient } from './rsp-client.ts';
import { parseStopReply, type StopReply } from './stop-reply.ts';
import { askStub, missingAbilities, type StubAbilities, Z_TYPE } from './stub-abilities.ts';
import {
  type BreakpointKind,
  type ResumeKind,
  type StopReason,
  type StubRegister,
  type Target,
  type TargetEnd,
  TargetError,
  type TargetStop,
  type TargetThread,
} from './target.ts';

const PAGE = 4096n;
const MOST_THREADS = 1024;

/** What is known of a stub beside what it says itself, because we started it or were told. */
export interface StubHost {
  readonly inspect?: MessageConnection;
  /** True for our core, which lets a vCPU go from a trap that it stands on; other stubs meet the trap again. */
  readonly leavesTraps?: boolean;
  /** True when there is a monitor beside the stub. */
  readonly monitored?: boolean;
  readPhysical?(address: bigint, length: number): Promise<Uint8Array>;
  writePhysical?(address: bigint, data: Uint8Array): Promise<void>;
  /** What a stop with a signal that is none of a debugger's really is. */
  judgeStop?(stop: TargetStop): Promise<StopReply>;
  /** Set when the guest can only be looked at any more: letting it go is its end. */
  ended?(): TargetEnd | undefined;
  /** Registers that the stub does not tell, of one vCPU. */
  readonly systemRegisters?: (thread: number) => Promise<ReadonlyMap<string, bigint>>;
  /** Words for a connection that broke, or the guest's end that broke it. */
  explainLoss?(reason: string): Promise<TargetEnd | string>;
  /** Gives everything back; the session is over. */
  release?(): Promise<void>;
}

export class RspTarget implements Target {
  readonly can;
  readonly inspect?: MessageConnection;
  private readonly stopListeners: ((stop: TargetStop) => void)[] = [];
  private readonly endListeners: ((end: TargetEnd) => void)[] = [];
  private readonly lostListeners: ((message: string) => void)[] = [];
  private selected: number | undefined;
  private stepping = false;
  private over = false;
  readonly registers: readonly StubRegister[];
  readonly missing: readonly string[];
  /** What is planted, as the packet says it, with the address. */
  private readonly planted = new Map<string, Planted>();
  /** Takes the next stop, which nobody else sees. */
  private quiet: ((stop: TargetStop) => void) | undefined;
  /** What the stub printed last, e.g. how the guest ended. */
  private lastWords = '';
  private line: Promise<unknown> = Promise.resolve();
  private resuming: Promise<void> = Promise.resolve();

  private constructor(
    readonly name: string,
    private readonly client: RspClient,
    private readonly stub: StubAbilities,
    private readonly host: StubHost,
  ) {
    this.registers = stub.registers;
    this.missing = host.leavesTraps
      ? []
      : missingAbilities(name, { ...stub, monitor: stub.monitor || host.monitored === true });
    this.can = {
      rangeStep: stub.rangeStep,
      hardwareBreakpoints: stub.breakpoints.has('hardware'),
      watchpoints: stub.breakpoints.has('write'),
      physicalMemory: host.readPhysical !== undefined || stub.physicalMemory,
      conditions: stub.conditions,
    };
    if (host.inspect) this.inspect = host.inspect;
    client.onStopReply = (payload) => this.stopped(payload);
    client.onOutput = (text) => {
      this.lastWords = text.trim();
    };
    client.onClosed = (reason) => void this.lost(reason);
  }

  /** Greets the stub at the other end of `socket` and learns what it can do. The guest is stopped afterwards. */
  static async connect(name: string, socket: Socket, host: StubHost = {}): Promise<RspTarget> {
    const client = new RspClient(socket);
    try {
      return new RspTarget(name, client, await askStub(client), host);
    } catch (error) {
      client.end();
      throw error;
    }
  }

  /** True when the stub takes `monitor` commands. */
  get hasMonitor(): boolean {
    return this.stub.monitor;
  }

  async threads(): Promise<readonly TargetThread[]> {
    const ids: number[] = this.stub.threadList ? [] : [this.stub.firstThread];
    let list = this.stub.threadList ? await this.client.request('qfThreadInfo') : 'l';
    while (list.startsWith('m') && ids.length < MOST_THREADS) {
      for (const text of list.slice(1).split(',')) {
        const id = parseThreadId(text);
        if (typeof id === 'number') ids.push(id);
      }
      list = await this.client.request('qsThreadInfo');
    }
    return ids.map((id) => ({ id, name: `vCPU ${id - 1}` }));
  }

  async readRegisters(thread: number): Promise<ReadonlyMap<string, Uint8Array>> {
    const payload = check(await this.onThread(thread, 'g'), 'read the registers');
    const values = new Map<string, Uint8Array>();
    let at = 0;
    for (const { name, bits } of this.registers) {
      const digits = payload.slice(at, at + bits / 4);
      at += bits / 4;
      const bytes = digits.length === bits / 4 ? hexToBytes(digits) : undefined;
      if (bytes) values.set(name, bytes);
    }
    return values;
  }

  async readRegister(thread: number, name: string): Promise<Uint8Array> {
    const { regnum } = this.register(name);
    if (!this.stub.oneRegister) {
      const value = (await this.readRegisters(thread)).get(name);
      if (!value) throw new TargetError(`${this.name} does not tell ${name}.`);
      return value;
    }
    const reply = await this.onThread(thread, `p${regnum.toString(16)}`);
    return bytesOf(check(reply, `read ${name}`), `read ${name}`);
  }

  async systemRegisters(thread: number): Promise<ReadonlyMap<string, bigint>> {
    return (await this.host.systemRegisters?.(thread)) ?? new Map();
  }

  async writeRegister(thread: number, name: string, value: Uint8Array): Promise<void> {
    const { regnum } = this.register(name);
    const reply = await this.onThread(thread, `P${regnum.toString(16)}=${bytesToHex(value)}`);
    expectOk(reply === '' ? await this.writeAll(thread, regnum, value) : reply, `write ${name}`);
  }

  /** `G`, for stubs that write no register by itself. */
  private writeAll(thread: number, regnum: number, value: Uint8Array): Promise<string> {
    return this.together(async () => {
      await this.select(thread);
      const all = check(await this.client.request('g'), 'read the registers');
      const digits = (registers: readonly StubRegister[]) => registers.reduce((sum, { bits }) => sum + bits / 4, 0);
      const at = digits(this.registers.filter((register) => register.regnum < regnum));
      return this.client.request(`G${all.slice(0, at)}${bytesToHex(value)}${all.slice(at + 2 * value.length)}`);
    });
  }

  async readMemory(thread: number, address: bigint, length: number): Promise<Uint8Array> {
    return this.together(async () => {
      await this.select(thread);
      return this.readSelected(address, length);
    });
  }

  async writeMemory(thread: number, address: bigint, data: Uint8Array): Promise<void> {
    return this.together(async () => {
      await this.select(thread);
      await this.writeSelected(address, data);
    });
  }

  async readPhysical(address: bigint, length: number): Promise<Uint8Array> {
    return this.host.readPhysical?.(address, length) ?? this.physically(() => this.readSelected(address, length));
  }

  async writePhysical(address: bigint, data: Uint8Array): Promise<void> {
    return this.host.writePhysical?.(address, data) ?? this.physically(() => this.writeSelected(address, data));
  }

  async insertBreakpoint(
    kind: BreakpointKind,
    address: bigint,
    length = 1,
    conditions: readonly Uint8Array[] = [],
  ): Promise<void> {
    const packet = zPacket(kind, address, length);
    const options = formatBreakpointOptions({ conditions, commands: [] });
    await this.sendZ('Z', kind, packet + options, address);
    this.planted.set(packet, { kind, address, options });
  }

  async removeBreakpoint(kind: BreakpointKind, address: bigint, length = 1): Promise<void> {
    const packet = zPacket(kind, address, length);
    await this.sendZ('z', kind, packet, address);
    this.planted.delete(packet);
  }

  resume(thread: number, how: ResumeKind, others: 'continue' | 'stay'): Promise<void> {
    this.resuming = this.letGo(thread, how, others);
    return this.resuming;
  }

  /** A guest that is only about to be let go is interrupted as soon as it is on its way. */
  async interrupt(): Promise<void> {
    await this.resuming.catch(() => undefined);
    await this.client.interrupt();
  }

  async monitor(command: string): Promise<string> {
    const output: string[] = [];
    const reply = await this.client.request(`qRcmd,${textToHex(command)}`, (hex) => output.push(hex));
    if (reply === '') throw new TargetError(`${this.name} has no monitor commands.`);
    if (reply !== 'OK') output.push(check(reply, `run "${command}"`));
    return Buffer.from(output.join(''), 'hex').toString('utf8');
  }

  async kill(): Promise<void> {
    this.over = true;
    this.client.part('k');
    await this.host.release?.();
  }

  async detach(): Promise<void> {
    for (const [packet, { kind, address }] of this.planted) await this.sendZ('z', kind, packet, address);
    this.planted.clear();
    const reply = await this.client.request('D');
    this.over = true;
    // A stub that does not know the packet goes on by itself when its client has gone.
    if (reply !== '') expectOk(reply, 'detach');
    this.client.end();
    await this.host.release?.();
  }

  onStop(listener: (stop: TargetStop) => void): void {
    this.stopListeners.push(listener);
  }

  onEnd(listener: (end: TargetEnd) => void): void {
    this.endListeners.push(listener);
  }

  onLost(listener: (message: string) => void): void {
    this.lostListeners.push(listener);
  }

  private async lost(reason: string): Promise<void> {
    if (this.over) return;
    this.over = true;
    const how = (await this.host.explainLoss?.(reason)) ?? `${this.name}: ${reason}.`;
    if (typeof how !== 'string') return this.end(how);
    for (const listener of this.lostListeners) listener(how);
  }

  private stopped(payload: string): void {
    const reply = parseStopReply(payload, this.stepping, this.stub.firstThread);
    this.selected = undefined;
    if (reply?.kind === 'stop' && reply.stop.reason.kind === 'fault' && this.host.judgeStop) {
      void this.host.judgeStop(reply.stop).then(
        (judged) => this.take(judged),
        () => this.take(reply),
      );
    } else if (reply) this.take(reply);
    else if (payload.startsWith('E') || payload === '') {
      const reason: StopReason = { kind: 'fault', message: `${this.name} refused to go on: ${errorText(payload)}` };
      this.deliver({ thread: this.stub.firstThread, reason });
    }
  }

  private take(reply: StopReply): void {
    if (reply.kind === 'stop') this.deliver(reply.stop);
    else this.end({ ...reply.end, message: this.lastWords || reply.end.message });
  }

  private end(end: TargetEnd): void {
    this.over = true;
    for (const listener of this.endListeners) listener(end);
  }

  private deliver(stop: TargetStop): void {
    const { quiet } = this;
    this.quiet = undefined;
    if (quiet) quiet(stop);
    else for (const listener of this.stopListeners) listener(stop);
  }

  private async letGo(thread: number, how: ResumeKind, others: 'continue' | 'stay'): Promise<void> {
    const end = this.host.ended?.();
    // Told of later, as of every guest that ends on its way.
    if (end) return void setImmediate(() => this.end(end));
    if (how.kind === 'continue' && !this.host.leavesTraps) {
      const left = await this.leaveTrap(thread);
      if (left) return this.deliver(left);
    }
    this.stepping = how.kind !== 'continue';
    await this.send(thread, how, others);
  }

  /** `vCont`, or `Hc` with `s` and `c` where a stub has nothing better. */
  private async send(thread: number, how: ResumeKind, others: 'continue' | 'stay'): Promise<void> {
    const id = thread.toString(16);
    if (!this.stub.vCont) {
      if (this.stub.threadList) {
        const moved = others === 'continue' && how.kind === 'continue' ? '-1' : id;
        expectOk(await this.client.request(`Hc${moved}`), `move vCPU ${thread - 1}`);
      }
      return this.client.resume(how.kind === 'continue' ? 'c' : 's');
    }
    const rest = others === 'continue' ? ';c' : '';
    switch (how.kind) {
      case 'continue':
        return this.client.resume(others === 'continue' ? 'vCont;c' : `vCont;c:${id}`);
      case 'step':
        return this.client.resume(`vCont;s:${id}${rest}`);
      case 'range-step':
        return this.client.resume(`vCont;r${how.start.toString(16)},${how.end.toString(16)}:${id}${rest}`);
    }
  }

  /** Steps a vCPU off the trap that it stands on; gives the stop where that came to something else. */
  private async leaveTrap(thread: number): Promise<TargetStop | undefined> {
    const pc = await this.trapUnder(thread);
    if (pc === undefined) return undefined;
    const stop = await this.stepOff(thread, pc);
    if (stop.reason.kind !== 'step') return stop;
    // A step that changed nothing was taken by something else; an instruction that jumps to itself is met again.
    const again = (await this.trapUnder(thread)) === pc ? await this.stepOff(thread, pc) : stop;
    if (again.reason.kind !== 'step') return again;
    const met = (await this.trapUnder(thread)) !== undefined;
    return met ? { thread, reason: { kind: 'breakpoint', hardware: false } } : undefined;
  }

  /** Where a vCPU stands, if there is a trap. */
  private async trapUnder(thread: number): Promise<bigint | undefined> {
    if (![...this.planted.values()].some(isTrap)) return undefined;
    const pc = BigInt(`0x${bytesToHex((await this.readRegister(thread, 'rip')).slice().reverse())}`);
    return this.trapsAt(pc).length > 0 ? pc : undefined;
  }

  private trapsAt(pc: bigint): readonly (readonly [packet: string, Planted])[] {
    return [...this.planted].filter(([, planted]) => isTrap(planted) && planted.address === pc);
  }

  /** As gdb does, without the trap: QEMU would step over its own, gdbserver meets it again even then. */
  private async stepOff(thread: number, pc: bigint): Promise<TargetStop> {
    const traps = this.trapsAt(pc);
    for (const [packet, { kind }] of traps) await this.sendZ('z', kind, packet, pc);
    const stopped = new Promise<TargetStop>((resolve) => {
      this.quiet = resolve;
    });
    this.stepping = true;
    await this.send(thread, { kind: 'step' }, 'stay');
    const stop = await stopped;
    for (const [packet, { kind, options }] of traps) await this.sendZ('Z', kind, packet + options, pc);
    return stop;
  }

  private register(name: string): StubRegister {
    const found = this.registers.find((register) => register.name === name);
    if (!found) throw new TargetError(`${this.name} has no register "${name}".`);
    return found;
  }

  private onThread(thread: number, packet: string): Promise<string> {
    return this.together(async () => {
      await this.select(thread);
      return this.client.request(packet);
    });
  }

  private async select(thread: number): Promise<void> {
    if (this.selected === thread || !this.stub.threadList) return;
    expectOk(await this.client.request(`Hg${thread.toString(16)}`), `select vCPU ${thread - 1}`);
    this.selected = thread;
  }

  private async readSelected(address: bigint, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const wanted = Math.min(this.stub.chunk, length - done);
      const part = await this.readChunk(address + BigInt(done), wanted);
      parts.push(part);
      if (part.length < wanted) break;
      done += wanted;
    }
    return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts);
  }

  private async writeSelected(address: bigint, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += this.stub.chunk) {
      const part = data.subarray(at, at + this.stub.chunk);
      const where = `${BigInt.asUintN(64, address + BigInt(at)).toString(16)},${part.length.toString(16)}`;
      const reply = await this.client.request(`M${where}:${bytesToHex(part)}`);
      expectOk(reply, `write memory at 0x${address.toString(16)}`);
    }
  }

  /** Has memory packets mean guest-physical addresses during `action`. */
  private physically<Result>(action: () => Promise<Result>): Promise<Result> {
    if (!this.can.physicalMemory) throw new TargetError(`${this.name} does not show guest-physical memory.`);
    return this.together(async () => {
      expectOk(await this.client.request('Qqemu.PhyMemMode:1'), 'look at guest-physical memory');
      try {
        return await action();
      } finally {
        expectOk(await this.client.request('Qqemu.PhyMemMode:0'), 'look at guest-virtual memory');
      }
    });
  }

  /** Some stubs refuse a whole read for one page that is not mapped: then the pages before it are read by themselves. */
  private async readChunk(address: bigint, length: number): Promise<Uint8Array> {
    const reply = await this.client.request(`m${BigInt.asUintN(64, address).toString(16)},${length.toString(16)}`);
    if (!isError(reply)) return bytesOf(reply, 'read memory').subarray(0, length);
    const pages: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const at = address + BigInt(done);
      const wanted = Math.min(Number(PAGE - (at % PAGE)), length - done);
      if (wanted === length) break;
      const page = await this.readChunk(at, wanted);
      pages.push(page);
      if (page.length < wanted) break;
      done += wanted;
    }
    return Buffer.concat(pages);
  }

  /** Keeps the packets of one action together: they lean on a thread or a memory mode selected by an earlier one. */
  private together<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.line.then(action);
    this.line = result.catch(() => undefined);
    return result;
  }

  private async sendZ(letter: 'Z' | 'z', kind: BreakpointKind, packet: string, address: bigint): Promise<void> {
    if (!this.stub.breakpoints.has(kind)) throw new TargetError(`${this.name} has no ${kind} breakpoints.`);
    const reply = await this.client.request(`${letter}${packet}`);
    if (reply !== 'OK')
      throw new TargetError(`No ${kind} breakpoint at 0x${address.toString(16)}: ${errorText(reply)}`);
  }
}

/** A breakpoint that the stub has. */
interface Planted {
  readonly kind: BreakpointKind;
  readonly address: bigint;
  /** What follows the place in its packet. */
  readonly options: string;
}

const isTrap = ({ kind }: Planted) => kind === 'software' || kind === 'hardware';

/** The arguments of a `Z` or `z` packet. */
const zPacket = (kind: BreakpointKind, address: bigint, length: number) =>
  `${Z_TYPE[kind]},${BigInt.asUintN(64, address).toString(16)},${length.toString(16)}`;

const isError = (reply: string) => reply === '' || /^E(\.|[0-9a-f]{2}$)/i.test(reply);

/** `E.text` carries words, `Enn` a number that every stub chooses for itself. */
const errorText = (reply: string) => (reply.startsWith('E.') ? reply.slice(2) : `the stub answered "${reply}"`);

function check(reply: string, action: string): string {
  if (isError(reply)) throw new TargetError(`Cannot ${action}: ${errorText(reply)}`);
  return reply;
}

function expectOk(reply: string, action: string): void {
  if (reply !== 'OK') throw new TargetError(`Cannot ${action}: ${errorText(reply)}`);
}

function bytesOf(reply: string, action: string): Uint8Array {
  const bytes = hexToBytes(reply);
  if (!bytes) throw new TargetError(`Cannot ${action}: the stub answered something else than hexadecimal digits.`);
  return bytes;
}
