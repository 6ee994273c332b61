/**
 * A target over any GDB stub: QEMU's, or our core's, which says more than others but nothing that others' stubs could not
 * leave out.
 */
import type { Socket } from 'node:net';
import type { MessageConnection } from 'vscode-jsonrpc';
import { bytesToHex, parseThreadId, textToHex } from '../../hypervisor-core/protocol/rsp.ts';
import { RspClient } from './rsp-client.ts';
import { parseStopReply, type StopReply } from './stop-reply.ts';
import { askStub, missingAbilities, type StubAbilities } from './stub-abilities.ts';
import { StubBreakpoints } from './stub-breakpoints.ts';
import { StubLine } from './stub-line.ts';
import { StubMemory } from './stub-memory.ts';
import { StubRegisters } from './stub-registers.ts';
import { check, errorText, expectOk } from './stub-replies.ts';
import {
  type BreakpointKind,
  type BreakpointOrders,
  type ResumeKind,
  type StopReason,
  type StubRegister,
  type Target,
  type TargetEnd,
  TargetError,
  type TargetStop,
  type TargetThread,
} from './target.ts';

const MOST_THREADS = 1024;

/** What is known of a stub beside what it says itself, because we started it or were told. */
export interface StubHost {
  readonly inspect?: MessageConnection;
  /** True for our core, which lets a vCPU go from a trap that it stands on; other stubs meet the trap again. */
  readonly leavesTraps?: boolean;
  /** True for a core that nobody else gives breakpoints with variables to, and that works as breakpoint-options.ts says. */
  readonly countsForUs?: boolean;
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
  private readonly printListeners: ((text: string) => void)[] = [];
  private readonly endListeners: ((end: TargetEnd) => void)[] = [];
  private readonly lostListeners: ((message: string) => void)[] = [];
  private stepping = false;
  private over = false;
  readonly registers: readonly StubRegister[];
  readonly missing: readonly string[];
  private readonly line: StubLine;
  private readonly bank: StubRegisters;
  private readonly memory: StubMemory;
  private readonly breakpoints: StubBreakpoints;
  /** Takes the next stop, which nobody else sees. */
  private quiet: ((stop: TargetStop) => void) | undefined;
  /** What the stub printed last, e.g. how the guest ended. */
  private lastWords = '';
  private resuming: Promise<void> = Promise.resolve();

  private constructor(
    readonly name: string,
    private readonly client: RspClient,
    private readonly stub: StubAbilities,
    private readonly host: StubHost,
  ) {
    this.line = new StubLine(name, client, stub);
    this.bank = new StubRegisters(this.line);
    this.memory = new StubMemory(this.line);
    this.breakpoints = new StubBreakpoints(this.line);
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
      counts: stub.conditions && host.countsForUs === true,
    };
    if (host.inspect) this.inspect = host.inspect;
    client.onStopReply = (payload) => this.stopped(payload);
    client.onOutput = (text) => {
      this.lastWords = text.trim();
      for (const listener of this.printListeners) listener(text);
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

  readRegisters(thread: number): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.bank.readAll(thread);
  }

  readRegister(thread: number, name: string): Promise<Uint8Array> {
    return this.bank.read(thread, name);
  }

  async systemRegisters(thread: number): Promise<ReadonlyMap<string, bigint>> {
    return (await this.host.systemRegisters?.(thread)) ?? new Map();
  }

  writeRegister(thread: number, name: string, value: Uint8Array): Promise<void> {
    return this.bank.write(thread, name, value);
  }

  readMemory(thread: number, address: bigint, length: number): Promise<Uint8Array> {
    return this.memory.read(thread, address, length);
  }

  writeMemory(thread: number, address: bigint, data: Uint8Array): Promise<void> {
    return this.memory.write(thread, address, data);
  }

  async readPhysical(address: bigint, length: number): Promise<Uint8Array> {
    return this.host.readPhysical?.(address, length) ?? this.memory.readPhysical(address, length);
  }

  async writePhysical(address: bigint, data: Uint8Array): Promise<void> {
    return this.host.writePhysical?.(address, data) ?? this.memory.writePhysical(address, data);
  }

  insertBreakpoint(
    kind: BreakpointKind,
    address: bigint,
    length = 1,
    orders: BreakpointOrders = { conditions: [], commands: [] },
  ): Promise<void> {
    return this.breakpoints.insert(kind, address, length, orders);
  }

  removeBreakpoint(kind: BreakpointKind, address: bigint, length = 1): Promise<void> {
    return this.breakpoints.remove(kind, address, length);
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

  async readVariable(number: number): Promise<bigint> {
    const reply = await this.client.request(`qTV:${number.toString(16)}`);
    const [, digits] = /^V([0-9a-f]{1,16})$/i.exec(reply) ?? [];
    if (digits === undefined) throw new TargetError(`${this.name} has no variable ${number}: ${errorText(reply)}`);
    return BigInt(`0x${digits}`);
  }

  async setVariable(number: number, value: bigint): Promise<void> {
    const reply = await this.client.request(`QTDV:${number.toString(16)}:${value.toString(16)}:0:`);
    expectOk(reply, `set variable ${number}`);
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
    await this.breakpoints.removeAll();
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

  onPrint(listener: (text: string) => void): void {
    this.printListeners.push(listener);
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
    this.line.forgetThread();
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
    if (!this.breakpoints.hasTraps) return undefined;
    const pc = BigInt(`0x${bytesToHex((await this.readRegister(thread, 'rip')).slice().reverse())}`);
    return this.breakpoints.isTrapAt(pc) ? pc : undefined;
  }

  /** As gdb does, without the trap: QEMU would step over its own, gdbserver meets it again even then. */
  private stepOff(thread: number, pc: bigint): Promise<TargetStop> {
    return this.breakpoints.without(pc, async () => {
      const stopped = new Promise<TargetStop>((resolve) => {
        this.quiet = resolve;
      });
      this.stepping = true;
      await this.send(thread, { kind: 'step' }, 'stay');
      return stopped;
    });
  }
}
