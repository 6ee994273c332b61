/**
 * A target over any GDB stub: QEMU's, or our core's, which says more than others but nothing that others' stubs could not
 * leave out.
 */
import type { Socket } from 'node:net';
import type { MessageConnection } from 'vscode-jsonrpc';
import { bytesToHex, hexToBytes, MAX_PACKET, parseThreadId, textToHex } from '../../hypervisor-core/protocol/rsp.ts';
import { RspClient } from './rsp-client.ts';
import { parseStopReply } from './stop-reply.ts';
import {
  type ResumeKind,
  type StopReason,
  type Target,
  type TargetEnd,
  TargetError,
  type TargetStop,
  type TargetThread,
} from './target.ts';
import { readTargetDescription, type StubRegister } from './target-xml.ts';

type BreakpointKind = Parameters<Target['insertBreakpoint']>[0];

const Z_TYPE: Readonly<Record<BreakpointKind, number>> = { software: 0, hardware: 1, write: 2, read: 3, access: 4 };
const OUR_FEATURES = 'qSupported:swbreak+;hwbreak+;vContSupported+;error-message+';
const PAGE = 4096n;
const MOST_THREADS = 1024;
/** Bytes of one description document. */
const LONGEST_DOCUMENT = 1 << 20;

/** What stands behind a stub when we started it ourselves. */
export interface StubHost {
  readonly inspect?: MessageConnection;
  readPhysical?(address: bigint, length: number): Promise<Uint8Array>;
  writePhysical?(address: bigint, data: Uint8Array): Promise<void>;
  /** Words for a connection that broke. */
  explainLoss?(reason: string): Promise<string>;
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
  /** Addresses of planted execution breakpoints. */
  private readonly traps = new Set<bigint>();
  /** Takes the next stop, which nobody else sees. */
  private quiet: ((stop: TargetStop) => void) | undefined;
  /** What the stub printed last, e.g. how the guest ended. */
  private lastWords = '';
  private line: Promise<unknown> = Promise.resolve();
  private resuming: Promise<void> = Promise.resolve();

  private constructor(
    readonly name: string,
    private readonly client: RspClient,
    readonly registers: readonly StubRegister[],
    /** Bytes of memory in one packet. */
    private readonly chunk: number,
    abilities: { readonly rangeStep: boolean; readonly physicalMemory: boolean },
    private readonly host: StubHost,
  ) {
    this.can = { hardwareBreakpoints: true, watchpoints: true, ...abilities };
    if (host.inspect) this.inspect = host.inspect;
    client.onStopReply = (payload) => this.stopped(payload);
    client.onOutput = (text) => {
      this.lastWords = text.trim();
    };
    client.onClosed = (reason) => void this.lost(reason);
  }

  /** Greets the stub at the other end of `socket` and reads its description. The guest is stopped afterwards. */
  static async connect(name: string, socket: Socket, host: StubHost = {}): Promise<RspTarget> {
    const client = new RspClient(socket);
    const features = new Map(
      (await client.request(OUR_FEATURES)).split(';').map((feature) => {
        const [key = '', value = ''] = feature.split('=');
        return [key, value];
      }),
    );
    if (features.has('QStartNoAckMode+') && (await client.request('QStartNoAckMode')) === 'OK') {
      client.dropAcknowledgements();
    }
    const registers = await readTargetDescription((document) => transfer(client, 'features', document));
    const actions = await client.request('vCont?');
    if (!/;s\b/.test(actions) || !/;c\b/.test(actions)) throw new TargetError(`${name} cannot step by vCont`);
    const physical = await client.request('qqemu.PhyMemMode');
    await client.request('?');
    const packet = Number.parseInt(features.get('PacketSize') ?? '400', 16);
    const chunk = Math.max(64, Math.floor(Math.min(packet || 0, MAX_PACKET) / 2) - 32);
    const abilities = {
      rangeStep: /;r\b/.test(actions),
      physicalMemory: host.readPhysical !== undefined || physical === '0' || physical === '1',
    };
    return new RspTarget(name, client, registers, chunk, abilities, host);
  }

  async threads(): Promise<readonly TargetThread[]> {
    const ids: number[] = [];
    let list = await this.client.request('qfThreadInfo');
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
    const reply = await this.onThread(thread, `p${this.register(name).regnum.toString(16)}`);
    return bytesOf(check(reply, `read ${name}`), `read ${name}`);
  }

  async writeRegister(thread: number, name: string, value: Uint8Array): Promise<void> {
    const packet = `P${this.register(name).regnum.toString(16)}=${bytesToHex(value)}`;
    expectOk(await this.onThread(thread, packet), `write ${name}`);
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

  async insertBreakpoint(kind: BreakpointKind, address: bigint, length = 1): Promise<void> {
    await this.zPacket('Z', kind, address, length);
    if (kind === 'software' || kind === 'hardware') this.traps.add(address);
  }

  async removeBreakpoint(kind: BreakpointKind, address: bigint, length = 1): Promise<void> {
    await this.zPacket('z', kind, address, length);
    this.traps.delete(address);
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
    expectOk(await this.client.request('D'), 'detach');
    this.over = true;
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
    const message = (await this.host.explainLoss?.(reason)) ?? `${this.name}: ${reason}.`;
    for (const listener of this.lostListeners) listener(message);
  }

  private stopped(payload: string): void {
    const reply = parseStopReply(payload, this.stepping);
    if (reply?.kind === 'end') {
      this.over = true;
      const message = this.lastWords || reply.end.message;
      for (const listener of this.endListeners) listener({ ...reply.end, message });
    } else if (reply) {
      this.selected = undefined;
      this.deliver(reply.stop);
    } else if (payload.startsWith('E') || payload === '') {
      const reason: StopReason = { kind: 'fault', message: `${this.name} refused to go on: ${errorText(payload)}` };
      this.deliver({ thread: 1, reason });
    }
  }

  private deliver(stop: TargetStop): void {
    const { quiet } = this;
    this.quiet = undefined;
    if (quiet) quiet(stop);
    else for (const listener of this.stopListeners) listener(stop);
  }

  private async letGo(thread: number, how: ResumeKind, others: 'continue' | 'stay'): Promise<void> {
    if (how.kind === 'continue' && !this.host.inspect && (await this.standsOnTrap(thread))) {
      const stop = await this.stepQuietly(thread);
      if (stop.reason.kind !== 'step') return this.deliver(stop);
      if (await this.standsOnTrap(thread))
        return this.deliver({ thread, reason: { kind: 'breakpoint', hardware: false } });
    }
    const id = thread.toString(16);
    const rest = others === 'continue' ? ';c' : '';
    this.stepping = how.kind !== 'continue';
    switch (how.kind) {
      case 'continue':
        return this.client.resume(others === 'continue' ? 'vCont;c' : `vCont;c:${id}`);
      case 'step':
        return this.client.resume(`vCont;s:${id}${rest}`);
      case 'range-step':
        return this.client.resume(`vCont;r${how.start.toString(16)},${how.end.toString(16)}:${id}${rest}`);
    }
  }

  /** Stubs other than ours (QEMU) meet the trap that a vCPU stands on again when it is let go. */
  private async standsOnTrap(thread: number): Promise<boolean> {
    if (this.traps.size === 0) return false;
    const pc = await this.readRegister(thread, 'rip');
    return this.traps.has(Buffer.from(pc).readBigUInt64LE());
  }

  private async stepQuietly(thread: number): Promise<TargetStop> {
    const stopped = new Promise<TargetStop>((resolve) => {
      this.quiet = resolve;
    });
    this.stepping = true;
    await this.client.resume(`vCont;s:${thread.toString(16)}`);
    return stopped;
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
    if (this.selected === thread) return;
    expectOk(await this.client.request(`Hg${thread.toString(16)}`), `select vCPU ${thread - 1}`);
    this.selected = thread;
  }

  private async readSelected(address: bigint, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const wanted = Math.min(this.chunk, length - done);
      const part = await this.readChunk(address + BigInt(done), wanted);
      parts.push(part);
      if (part.length < wanted) break;
      done += wanted;
    }
    return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts);
  }

  private async writeSelected(address: bigint, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += this.chunk) {
      const part = data.subarray(at, at + this.chunk);
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

  private async zPacket(letter: 'Z' | 'z', kind: BreakpointKind, address: bigint, length: number): Promise<void> {
    const reply = await this.client.request(
      `${letter}${Z_TYPE[kind]},${BigInt.asUintN(64, address).toString(16)},${length.toString(16)}`,
    );
    if (reply === '') throw new TargetError(`${this.name} has no ${kind} breakpoints.`);
    if (reply !== 'OK')
      throw new TargetError(`No ${kind} breakpoint at 0x${address.toString(16)}: ${errorText(reply)}`);
  }
}

/** `qXfer:OBJECT:read`, all of it. */
async function transfer(client: RspClient, object: string, annex: string): Promise<string> {
  let text = '';
  while (text.length < LONGEST_DOCUMENT) {
    const reply = await client.request(`qXfer:${object}:read:${annex}:${text.length.toString(16)},fff`);
    if (!/^[lm]/.test(reply)) break;
    text += reply.slice(1);
    if (reply.startsWith('l')) return text;
  }
  throw new TargetError(`the stub gives no ${annex}`);
}

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
