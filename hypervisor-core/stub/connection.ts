/** One client: bytes in, handlers, bytes out, and the stops of the machine in between. */
import type { Duplex } from 'node:stream';
import type { Machine, ResumeAction, Stop, Vcpu } from '../machine/api.ts';
import type { GuestEnd } from '../protocol/inspect.ts';
import { encodePacket, RspDecoder, type RspEvent, type ThreadId, textToHex } from '../protocol/rsp.ts';
import { BreakpointSet } from './breakpoint-set.ts';
import { handlers } from './handlers.ts';
import { type Client, ErrorCode, PacketError, type Reply, splitPacket } from './packet.ts';
import { SSTEP } from './packets/qemu.ts';
import { endReply, stopMessage, stopReply } from './stop-reply.ts';

/** Characters of text in one `O` packet. */
const PRINT_PIECE = 8192;
/** Bytes that may wait for a client that does not read. */
const MAX_UNSENT = 1 << 20;

export class Connection implements Client {
  readonly machine: Machine;
  readonly breakpoints: BreakpointSet;
  continueThread: ThreadId = 'any';
  physicalMemory = false;
  stepFlags: number = SSTEP.ENABLE | SSTEP.NOIRQ | SSTEP.NOTIMER;
  features: ReadonlySet<string> = new Set();
  lastStop: Stop;

  readonly #socket: Duplex;
  readonly #decoder = new RspDecoder({ runLengths: false });
  #vcpu: number;
  #acknowledge = true;
  #leaving = false;
  /** The client let vCPUs go and waits for a stop reply. */
  #running = false;
  #halted: (() => void) | undefined;
  /** Characters of printed text that were not sent. */
  #lost = 0;
  #lastSent: Uint8Array = new Uint8Array();

  constructor(machine: Machine, socket: Duplex, lastStop: Stop) {
    this.machine = machine;
    this.breakpoints = new BreakpointSet(machine);
    this.#socket = socket;
    this.lastStop = lastStop;
    this.#vcpu = lastStop.vcpu;
  }

  /** Serves the client until it leaves. A guest that runs is stopped first, as every debugger expects. */
  async serve(): Promise<void> {
    try {
      await this.#halt();
      // Left to itself, leaving the loop would destroy the socket and what is still to be sent with it.
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
        for (const event of this.#decoder.push(chunk as Uint8Array)) {
          await this.#take(event);
          if (this.#socket.writableNeedDrain) await drained(this.#socket);
        }
        if (this.#leaving) break;
      }
    } catch {
      // The connection broke: the client has left without a word.
    } finally {
      this.close();
      await this.#takeBreakpointsBack();
    }
  }

  /** Ends the connection; what was sent before still arrives. */
  close(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  stopped(stop: Stop): void {
    this.lastStop = stop;
    // A stop that this client does not wait for leaves it the vCPU that it has selected.
    if (this.#running || this.#halted) this.#vcpu = stop.vcpu;
    this.#wake();
    if (!this.#running) return;
    this.#running = false;
    this.#tellLost();
    const message = stopMessage(stop);
    if (message !== undefined) this.print(`${message}\n`);
    this.#send(stopReply(this.machine, stop, this.features));
  }

  ended(end: GuestEnd): void {
    this.#wake();
    if (!this.#running) return;
    this.#running = false;
    this.print(`${end.message}\n`);
    this.#send(endReply(end));
  }

  get vcpu(): Vcpu {
    const vcpu = this.machine.vcpus[this.#vcpu];
    if (!vcpu) throw new PacketError(ErrorCode.invalid, `no vCPU ${this.#vcpu}`);
    return vcpu;
  }

  selectVcpu(index: number): void {
    this.#vcpu = index;
  }

  stopAcknowledging(): void {
    this.#acknowledge = false;
  }

  /** What a breakpoint's command prints; a client that does not keep up loses some of it, and is told how much. */
  printed(text: string): void {
    if (!this.#running) return;
    if (this.#socket.writableLength > MAX_UNSENT) this.#lost += text.length;
    else this.print(text);
  }

  #tellLost(): void {
    if (this.#lost > 0) this.print(`${this.#lost} characters that breakpoints printed were lost\n`);
    this.#lost = 0;
  }

  print(text: string): void {
    for (let at = 0; at < text.length; at += PRINT_PIECE) this.#send(`O${textToHex(text.slice(at, at + PRINT_PIECE))}`);
  }

  /** With another stub on the same machine, the guest may run already; then only the next stop is waited for. */
  resume(actions: readonly ResumeAction[]): void {
    this.#running = true;
    if (this.machine.state.kind === 'running') return;
    try {
      this.machine.resume(actions);
    } catch (error) {
      this.#running = false;
      throw error;
    }
  }

  leave(): void {
    this.#leaving = true;
  }

  async #take(event: RspEvent): Promise<void> {
    if (this.#leaving) return;
    if (event.kind === 'interrupt') this.#interrupt();
    else if (event.kind === 'nak') this.#socket.write(this.#lastSent);
    else if (event.kind === 'packet') await this.#answer(event.payload);
    else if (event.kind === 'bad') {
      // Without acknowledgements nobody would send it again, so it gets the one reply it waits for.
      if (this.#acknowledge) this.#socket.write('-');
      else this.#fail(new PacketError(ErrorCode.invalid, `damaged packet: ${event.reason}`), '');
    }
  }

  #interrupt(): void {
    if (this.machine.state.kind !== 'running') return;
    this.#running = true;
    this.machine.interrupt();
  }

  async #answer(payload: string): Promise<void> {
    if (this.#acknowledge) this.#socket.write('+');
    const { name, rest } = splitPacket(payload);
    const handler = handlers.get(name);
    try {
      if (this.#running && !handler?.whileRunning) {
        throw new PacketError(ErrorCode.refused, 'the guest is running; stop it first');
      }
      const answer = handler ? handler.handle(this, rest) : '';
      // Only what takes time is waited for: a stop must not overtake the reply to what came before it.
      const reply = answer instanceof Promise ? await answer : answer;
      if (reply !== undefined) this.#send(reply);
    } catch (error) {
      this.#fail(error, name);
    }
  }

  /** gdb 13 shows the words of an `E.` reply for breakpoints only; since gdb 15 a client says that it shows all. */
  #fail(error: unknown, packet: string): void {
    const code = error instanceof PacketError ? error.code : ErrorCode.refused;
    const message = error instanceof Error ? error.message : String(error);
    if (this.features.has('error-message+')) this.#send(`E.${message}`);
    else if (packet === 'Z' && this.features.has('hwbreak+')) this.#send(`E.refused.${message}`);
    else this.#send(`E${code.toString(16).padStart(2, '0')}`);
  }

  #send(payload: Reply): void {
    this.#lastSent = encodePacket(payload);
    if (!this.#socket.writableEnded) this.#socket.write(this.#lastSent);
  }

  async #halt(): Promise<void> {
    if (this.machine.state.kind !== 'running') return;
    const halted = new Promise<void>((resolve) => {
      this.#halted = resolve;
    });
    this.machine.interrupt();
    await halted;
  }

  #wake(): void {
    this.#halted?.();
    this.#halted = undefined;
  }

  /** A client that is gone must not stop the guest any more: one that ran, runs on. */
  async #takeBreakpointsBack(): Promise<void> {
    const ran = this.machine.state.kind === 'running';
    this.#running = false;
    if (this.breakpoints.size === 0) return;
    await this.#halt();
    if (this.machine.state.kind === 'ended') return;
    this.breakpoints.clear();
    if (ran)
      this.machine.resume(this.machine.vcpus.map(({ index }) => ({ vcpu: index, action: { kind: 'continue' } })));
  }
}

/** Waits until `socket` takes more, or is gone. */
function drained(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
