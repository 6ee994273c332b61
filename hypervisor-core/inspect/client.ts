/** One client of the inspect channel: its requests, and the notifications that flow to it. */
import type { Duplex } from 'node:stream';
import {
  createMessageConnection,
  ErrorCodes,
  type MessageConnection,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { BreakpointError, type Console, type Disposable, type Machine, type Vcpu } from '../machine/api.ts';
import { hex } from '../protocol/hex.ts';
import { inspect } from '../protocol/inspect.ts';
import { parseStopOn } from '../protocol/stop-on.ts';
import { Backlog, Flow } from './flow.ts';
import { scanPageTables } from './page-tables.ts';
import {
  bytes,
  flag,
  MAX_TRANSFER,
  oneOf,
  path,
  text,
  texts,
  wholeNumber,
  wholeNumbers,
  wideNumber,
  wideNumbers,
} from './params.ts';
import { ScreenReader } from './screen.ts';

/** Bytes of one message; a client that sends more without ending it is cut off. */
const MAX_MESSAGE = 4 << 20;
const MAX_CONSOLE = 1 << 20;
const MAX_CALLS = 10_000;
/** Functions at which calls are traced. */
const MOST_CALL_PLACES = 8;
/** Vectors that a local APIC takes, Intel SDM vol. 3A 11.5.2. */
const [FIRST_VECTOR, LAST_VECTOR] = [16, 255];
const MAX_EXITS = 10_000;

/** Remembers when the last message was out, so that a reply is not lost when the connection is closed after it. */
class Writer extends StreamMessageWriter {
  flushed: Promise<void> = Promise.resolve();

  override write(...message: Parameters<StreamMessageWriter['write']>): Promise<void> {
    const written = super.write(...message);
    this.flushed = written.catch(() => undefined);
    return written;
  }
}

export class InspectClient {
  /** Settles when the client has left. */
  readonly gone: Promise<void>;
  readonly #machine: Machine;
  readonly #socket: Duplex;
  readonly #writer: Writer;
  readonly #connection: MessageConnection;
  readonly #subscriptions: Disposable[] = [];
  readonly #console = new Backlog(MAX_CONSOLE);
  /** From its first look at the screen on. */
  #screen: ScreenReader | undefined;
  /** While the client wants exits to be written down. */
  #exitTrace: ReturnType<Machine['exits']['trace']> | undefined;

  constructor(machine: Machine, socket: Duplex, onQuit: () => void) {
    this.#machine = machine;
    this.#socket = socket;
    this.#writer = new Writer(socket);
    let unfinished = 0;
    socket.on('data', (chunk: Uint8Array) => {
      unfinished += chunk.length;
      if (unfinished > MAX_MESSAGE) socket.destroy();
    });
    const reader = new StreamMessageReader(socket);
    // Its timer would outlive a connection that breaks inside a message.
    reader.partialMessageTimeout = 0;
    this.#connection = createMessageConnection(reader, this.#writer, undefined, {
      messageStrategy: {
        handleMessage(message, next) {
          unfinished = 0;
          return next(message);
        },
      },
    });
    // After a framing error nothing that follows can be trusted.
    this.#connection.onError(() => socket.destroy());
    socket.on('error', () => socket.destroy());
    this.gone = new Promise((resolve) => {
      socket.once('close', () => {
        for (const subscription of this.#subscriptions) subscription.dispose();
        if (machine.stopsOf(this).length > 0) machine.stopOn(this, []);
        if (machine.recordedBy(this).length > 0) machine.recordCalls(this, []);
        machine.recordInstructions(this, false);
        this.#exitTrace?.dispose();
        this.#connection.dispose();
        resolve();
      });
    });
    this.#answer(onQuit);
    this.#notify();
    this.#connection.listen();
  }

  /** Ends the connection when everything sent is out. */
  async close(): Promise<void> {
    await this.#writer.flushed;
    this.#socket.end(() => this.#socket.destroy());
    await this.gone;
  }

  #answer(onQuit: () => void): void {
    const machine = this.#machine;
    const on = this.#connection;
    on.onRequest(inspect.info, () => machine.info);
    on.onRequest(inspect.state, () => machine.state);
    on.onRequest(inspect.memoryMap, () => machine.memoryMap());
    on.onRequest(inspect.devices, () => machine.devices());
    on.onRequest(inspect.interrupts, (params) => ({
      ...this.#stopped(params).interrupts(),
      messages: machine.messages(),
    }));
    on.onRequest(inspect.interruptLog, (params) =>
      machine.interruptLog(wholeNumber(params, 'limit', 0, Number.MAX_SAFE_INTEGER)),
    );
    on.onRequest(inspect.inject, (params) =>
      this.#stopped(params).inject(
        params.vector === undefined ? undefined : wholeNumber(params, 'vector', FIRST_VECTOR, LAST_VECTOR),
      ),
    );
    on.onRequest(inspect.msrs, (params) => this.#stopped(params).msrs());
    on.onRequest(inspect.writeMsr, (params) => {
      this.#stopped(params).writeMsr(wholeNumber(params, 'index', 0, 0xffff_ffff), wideNumber(params, 'value'));
    });
    on.onRequest(inspect.scanPages, (params) => scanPageTables(this.#stopped(params), machine.memory, params));
    on.onRequest(inspect.stopOn, (params) => this.#stopOn(texts(params, 'stops')));
    on.onRequest(inspect.readPhysical, (params) => {
      const data = machine.memory.read(wideNumber(params, 'address'), wholeNumber(params, 'length', 0, MAX_TRANSFER));
      return { data: Buffer.from(data).toString('base64') };
    });
    on.onRequest(inspect.writePhysical, (params) => {
      const address = wideNumber(params, 'address');
      const data = bytes(params, 'data');
      const written = machine.memory.write(address, data);
      if (written < data.length) throw failure(`there is no RAM at physical address ${hex(address + BigInt(written))}`);
    });
    on.onRequest(inspect.screen, (params) => {
      this.#screen ??= ScreenReader.of(machine.memory, machine.memoryMap());
      return this.#screen?.changes(wholeNumber(params, 'known', 0, Number.MAX_SAFE_INTEGER)) ?? null;
    });
    on.onRequest(inspect.snapshots, () => machine.snapshots.list());
    on.onRequest(inspect.takeSnapshot, (params) => machine.snapshots.take(text(params, 'name')));
    on.onRequest(inspect.restoreSnapshot, (params) => machine.snapshots.restore(text(params, 'name')));
    on.onRequest(inspect.removeSnapshot, (params) => machine.snapshots.remove(text(params, 'name')));
    on.onRequest(inspect.saveSnapshot, (params) => machine.snapshots.save(text(params, 'name'), path(params)));
    on.onRequest(inspect.loadSnapshot, (params) => machine.snapshots.load(path(params)));
    on.onRequest(inspect.restart, () => machine.snapshots.restart());
    on.onRequest(inspect.hypercalls, (params) => {
      const from = wholeNumber(params, 'from', 0, Number.MAX_SAFE_INTEGER);
      return machine.hypercalls.read(
        from,
        Math.min(wholeNumber(params, 'limit', 0, Number.MAX_SAFE_INTEGER), MAX_CALLS),
      );
    });
    on.onRequest(inspect.recordCalls, (params) => {
      oneOf(params, 'convention', ['xen-pv']);
      refusable(() => machine.recordCalls(this, wideNumbers(params, 'at', MOST_CALL_PLACES)));
    });
    on.onRequest(inspect.recordInstructions, (params) => ({
      found: refusable(() => machine.recordInstructions(this, flag(params, 'on'))),
    }));
    on.onRequest(inspect.traceExits, (params) => this.#traceExits(flag(params, 'on')));
    on.onRequest(inspect.exits, (params) => {
      const from = wholeNumbers(params, 'from', machine.vcpus.length);
      return machine.exits.read(from, Math.min(wholeNumber(params, 'limit', 1, Number.MAX_SAFE_INTEGER), MAX_EXITS));
    });
    on.onRequest(inspect.exitCounters, () => machine.exits.counters());
    on.onRequest(inspect.vcpuTimes, () => machine.exits.times());
    on.onRequest(inspect.consoleHistory, () => {
      // What waits to be sent is part of the history, and must not come a second time after it.
      this.#console.take();
      return { data: Buffer.from(machine.console.history()).toString('base64') };
    });
    on.onRequest(inspect.serialHistory, (params) => ({
      data: Buffer.from(this.#serialPort(params).history()).toString('base64'),
    }));
    on.onRequest(inspect.serialInput, (params) => this.#serialPort(params).input(bytes(params, 'data')));
    on.onRequest(inspect.consoleInput, (params) => machine.console.input(bytes(params, 'data')));
    on.onRequest(inspect.quit, () => {
      machine.kill();
      setImmediate(onQuit);
    });
  }

  #notify(): void {
    const machine = this.#machine;
    const send = this.#connection;
    const console = new Flow(() => {
      const data = this.#console.take();
      if (data.length === 0) return undefined;
      return send.sendNotification(inspect.onConsole, { data: Buffer.from(data).toString('base64') });
    });
    this.#subscriptions.push(
      machine.onState((state) => {
        send.sendNotification(inspect.onState, state).catch(() => this.#socket.destroy());
      }),
      machine.console.onOutput((data) => {
        this.#console.add(data);
        console.poke();
      }),
    );
  }

  #stopOn(lines: readonly string[]): void {
    const stops = lines.map((line) => {
      const stop = parseStopOn(line);
      if (!stop) throw failure(`not understood: ${line.slice(0, 60)}`);
      return stop;
    });
    refusable(() => this.#machine.stopOn(this, stops));
  }

  #traceExits(on: boolean): { from: readonly number[] } {
    this.#exitTrace?.dispose();
    this.#exitTrace = on ? this.#machine.exits.trace() : undefined;
    return { from: this.#exitTrace?.from ?? [] };
  }

  #serialPort(params: unknown): Console {
    const ports = this.#machine.serialPorts;
    const port = ports[wholeNumber(params, 'port', 1, ports.length) - 1];
    if (!port) throw failure('no such serial port');
    return port;
  }

  /** The vCPU that `params` names, on a machine that stands still. */
  #stopped(params: unknown): Vcpu {
    const vcpu = this.#machine.vcpus[wholeNumber(params, 'vcpu', 0, this.#machine.vcpus.length - 1)];
    if (this.#machine.state.kind === 'running') throw failure('the guest is running; pause it first');
    if (!vcpu) throw failure('no such vCPU');
    return vcpu;
  }
}

/** Has the client be told what a `BreakpointError` says. */
function refusable<Result>(body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    throw error instanceof BreakpointError ? failure(error.message) : error;
  }
}

function failure(message: string): ResponseError {
  return new ResponseError(ErrorCodes.InternalError, message);
}
