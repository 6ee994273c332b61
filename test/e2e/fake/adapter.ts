/**
 * A debug adapter with no guest behind it: it speaks the whole custom protocol with canned answers and logs each request to
 * the file FAKE_ADAPTER_LOG, so that tests can see what the extension asks for.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import {
  ContinuedEvent,
  DebugSession,
  Event,
  InitializedEvent,
  InvalidatedEvent,
  Scope,
  StoppedEvent,
  TerminatedEvent,
  Thread,
} from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type {
  PagesChoice,
  RingsideEventName,
  RingsideEvents,
  RingsideRequestName,
  RingsideRequests,
  StatePart,
} from '../../../debug-adapter/protocol/custom.ts';
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import {
  addressSpace,
  callerRegisters,
  exits,
  exitTrace,
  hypercalls,
  instructions,
  interrupts,
  kernelLog,
  linuxIrqs,
  linuxTimers,
  mappings,
  memoryMap,
  pageTable,
  pageTables,
  registers,
  screenUpdate,
  taskFrames,
  tasks,
  vcpus,
  walk,
  whatIs,
  xenDomain,
} from './snapshot.ts';

/** What the guest does: calls before it stops first, and calls a millisecond while it runs. */
const FIRST_CALLS = 40;
const CALLS_A_MS = Number(process.env['FAKE_CALLS_A_MS'] ?? 0.03);

const encode = (text: string) => Buffer.from(text).toString('base64');

/** Id of the frame that called. */
const CALLER = 2;

class FakeAdapter extends DebugSession {
  #stop = 0;
  /** Milliseconds that the guest has run, and since when it runs now. */
  #ranBefore = 0;
  #ranSince: number | undefined;
  #rax: string | undefined;
  #program = '';
  /** What is told with each stop. */
  #followed: RingsideRequests['ringside/follow']['arguments'] = { parts: [] };
  /** A guest of which nothing can be read. */
  #shut = false;

  override dispatchRequest(request: DebugProtocol.Request): void {
    const log = process.env['FAKE_ADAPTER_LOG'];
    if (log) appendFileSync(log, `${JSON.stringify({ command: request.command, arguments: request.arguments })}\n`);
    super.dispatchRequest(request);
  }

  protected override initializeRequest(response: DebugProtocol.InitializeResponse): void {
    response.body = {
      supportsConfigurationDoneRequest: true,
      supportsFunctionBreakpoints: true,
      supportsConditionalBreakpoints: true,
      supportsCompletionsRequest: true,
    };
    this.sendResponse(response);
    this.sendEvent(new InitializedEvent());
  }

  protected override launchRequest(
    response: DebugProtocol.LaunchResponse,
    args: DebugProtocol.LaunchRequestArguments & { program?: string; args?: string },
  ): void {
    this.#program = args.program ?? '';
    this.#shut = args.args === 'shut';
    this.sendResponse(response);
  }

  protected override configurationDoneRequest(response: DebugProtocol.ConfigurationDoneResponse): void {
    this.sendResponse(response);
    this.#send('ringside/console', { data: encode('fake guest ready\n') });
    this.#stopAt('entry');
  }

  protected override setBreakPointsRequest(
    response: DebugProtocol.SetBreakpointsResponse,
    args: DebugProtocol.SetBreakpointsArguments,
  ): void {
    response.body = { breakpoints: (args.breakpoints ?? []).map(({ line }) => ({ verified: true, line })) };
    this.sendResponse(response);
  }

  protected override setFunctionBreakPointsRequest(
    response: DebugProtocol.SetFunctionBreakpointsResponse,
    args: DebugProtocol.SetFunctionBreakpointsArguments,
  ): void {
    response.body = { breakpoints: args.breakpoints.map(() => ({ verified: true })) };
    this.sendResponse(response);
  }

  protected override completionsRequest(
    response: DebugProtocol.CompletionsResponse,
    { text }: DebugProtocol.CompletionsArguments,
  ): void {
    const symbols = ['do_exit', 'do_fork', 'kernel_main'].filter((name) => name.startsWith(text));
    response.body = { targets: symbols.map((label) => ({ label, type: 'value' })) };
    this.sendResponse(response);
  }

  protected override threadsRequest(response: DebugProtocol.ThreadsResponse): void {
    response.body = { threads: [new Thread(1, 'vCPU 0'), new Thread(2, 'vCPU 1')] };
    this.sendResponse(response);
  }

  protected override stackTraceRequest(response: DebugProtocol.StackTraceResponse): void {
    const { source } = this;
    response.body = {
      stackFrames: [
        { id: 1, name: 'kernel_main', line: this.#stop, column: 1, source },
        { id: CALLER, name: 'start', line: 20, column: 1, source },
      ],
    };
    this.sendResponse(response);
  }

  protected override evaluateRequest(
    response: DebugProtocol.EvaluateResponse,
    { expression }: DebugProtocol.EvaluateArguments,
  ): void {
    response.body = { result: expression, memoryReference: expression, variablesReference: 0 };
    this.sendResponse(response);
  }

  protected override disassembleRequest(
    response: DebugProtocol.DisassembleResponse,
    { memoryReference, instructionOffset = 0, instructionCount }: DebugProtocol.DisassembleArguments,
  ): void {
    const source = { location: this.source, line: 30 };
    response.body = {
      instructions: instructions(BigInt(memoryReference), instructionOffset, instructionCount, source),
    };
    this.sendResponse(response);
  }

  private get source() {
    return { name: 'kernel.c', path: `${this.#program.replace(/[^/]*$/, '')}kernel.c` };
  }

  protected override scopesRequest(response: DebugProtocol.ScopesResponse): void {
    response.body = { scopes: [new Scope('Locals', 1)] };
    this.sendResponse(response);
  }

  protected override variablesRequest(response: DebugProtocol.VariablesResponse): void {
    response.body = { variables: [{ name: 'stop', value: `${this.#stop}`, variablesReference: 0 }] };
    this.sendResponse(response);
  }

  protected override nextRequest(response: DebugProtocol.NextResponse): void {
    this.sendResponse(response);
    this.#stopAt('step');
  }

  protected override continueRequest(response: DebugProtocol.ContinueResponse): void {
    this.#ranSince = Date.now();
    this.sendResponse(response);
  }

  protected override pauseRequest(response: DebugProtocol.PauseResponse): void {
    this.sendResponse(response);
    this.#stopAt('pause');
  }

  protected override readMemoryRequest(
    response: DebugProtocol.ReadMemoryResponse,
    args: DebugProtocol.ReadMemoryArguments,
  ): void {
    const data = Buffer.from(`at ${args.memoryReference}`.padEnd(args.count, '.')).subarray(0, args.count);
    response.body = { address: args.memoryReference, data: data.toString('base64') };
    this.sendResponse(response);
  }

  protected override disconnectRequest(response: DebugProtocol.DisconnectResponse): void {
    this.#send('ringside/ended', {
      message: 'The guest was ended by the debugger.',
      exitStatus: 0,
      last: { threadId: 1, ...this.#parts(['registers', 'interrupts', 'memoryMap', 'pageTables', 'hypercalls']) },
    });
    this.sendEvent(new TerminatedEvent());
    this.sendResponse(response);
    this.shutdown();
  }

  protected override customRequest(command: string, response: DebugProtocol.Response, args: unknown): void {
    const answer = this.#answers[command as RingsideRequestName] as ((args: unknown) => unknown) | undefined;
    if (!answer) {
      super.customRequest(command, response, args);
      return;
    }
    try {
      response.body = answer(args);
      this.sendResponse(response);
    } catch (error) {
      this.sendErrorResponse(response, 1, error instanceof Error ? error.message : String(error));
    }
  }

  readonly #answers: {
    readonly [Name in RingsideRequestName]: (
      args: RingsideRequests[Name]['arguments'],
    ) => RingsideRequests[Name]['body'];
  } = {
    'ringside/follow': (args) => {
      this.#followed = args;
      return {};
    },
    'ringside/snapshot': ({ threadId, parts, pages, frameId }) => ({
      threadId,
      ...this.#parts(parts, pages),
      ...(frameId === CALLER && { registers: callerRegisters }),
    }),
    'ringside/setRegister': ({ value }) => {
      this.#rax = value;
      this.sendEvent(new InvalidatedEvent(['all']));
      return { value: value as `0x${string}` };
    },
    'ringside/pageTable': ({ path }) => ({ entries: pageTable(path) }),
    'ringside/walk': ({ address }) => walk(address.startsWith('0x') ? BigInt(address) : 0xffffffff80001000n),
    'ringside/mappings': ({ physical }) => ({
      physical: hex(BigInt(physical)),
      mappings: mappings(BigInt(physical)),
      truncated: false,
    }),
    'ringside/inlineScope': () => ({ line: 1, variables: [] }),
    'ringside/hypercalls': ({ from, limit }) => hypercalls(from, Math.min(this.#calls, from + limit), this.#calls),
    'ringside/exits': () => exits(this.#ran),
    'ringside/traceExits': () => {
      const first = Math.floor(this.#ran);
      return { from: [first, 0] };
    },
    'ringside/exitTrace': ({ from: [from = 0], limit }) =>
      exitTrace(from, Math.min(Math.floor(this.#ran), from + limit)),
    'ringside/screen': ({ known }) => {
      if (this.#shut) throw new Error('The screen is shut. Open it.');
      return screenUpdate(known, this.#stop, this.#ran);
    },
    'ringside/vcpus': () => vcpus(this.#ran, this.#ranSince !== undefined),
    'ringside/runAlone': ({ how, threadId }) => {
      if (how === 'step') this.#stopAt('step');
      else {
        this.#ranSince = Date.now();
        this.sendEvent(new ContinuedEvent(threadId, false));
      }
      return {};
    },
    'ringside/recordCalls': ({ on }) => ({ on }),
    'ringside/stopOn': () => ({}),
    'ringside/inject': () => ({}),
    'ringside/kernelLog': () => ({ text: kernelLog }),
    'ringside/linuxIrqs': () => ({ irqs: linuxIrqs }),
    'ringside/linuxTimers': () => ({ timers: linuxTimers }),
    'ringside/xenDomain': () => xenDomain,
    'ringside/whatIs': () => ({ address: '0xffff888003a51234', lines: whatIs }),
    'ringside/taskStack': () => ({ frames: taskFrames }),
    'ringside/writeVmcore': () => ({ size: 0 }),
    'ringside/consoleInput': ({ data }) => {
      this.#send('ringside/console', { data });
      return {};
    },
  };

  /** Milliseconds that the guest has run by now. */
  get #ran(): number {
    return this.#ranBefore + (this.#ranSince ? Date.now() - this.#ranSince : 0);
  }

  /** Hypercalls that the guest has made by now: it makes them while it runs. */
  get #calls(): number {
    return FIRST_CALLS + Math.floor(this.#ran * CALLS_A_MS);
  }

  #parts(parts: readonly StatePart[], pages: PagesChoice = {}) {
    const all = {
      registers: registers(this.#stop).map((group) => ({
        ...group,
        registers: group.registers.map((register) =>
          register.name === 'rax' && this.#rax ? { ...register, value: this.#rax as `0x${string}` } : register,
        ),
      })),
      pageTables: { ...pageTables, cr3: pages.cr3 ?? pageTables.cr3 },
      addressSpace: addressSpace(this.#stop, pages),
      interrupts,
      hypercalls: hypercalls(Math.max(0, this.#calls - 1000), this.#calls),
      memoryMap,
      exits: exits(this.#ran),
      vcpus: vcpus(this.#ran, false),
      tasks,
    };
    const shut = (part: StatePart) => ({ error: `The ${part} are shut. Open them.` });
    return Object.fromEntries(parts.map((part) => [part, this.#shut ? shut(part) : all[part]]));
  }

  #stopAt(reason: string): void {
    this.#stop++;
    if (this.#ranSince) this.#ranBefore += Date.now() - this.#ranSince;
    this.#ranSince = undefined;
    const stopped: DebugProtocol.StoppedEvent = new StoppedEvent(reason, 1);
    stopped.body.allThreadsStopped = true;
    this.sendEvent(stopped);
    const { parts, pages } = this.#followed;
    for (const part of parts) this.#send('ringside/part', { threadId: 1, ...this.#parts([part], pages) });
  }

  #send<Name extends RingsideEventName>(name: Name, body: RingsideEvents[Name]): void {
    this.sendEvent(new Event(name, body));
  }
}

// Started as `ringside doctor` by "Check Host", too.
if (process.argv[2] === 'doctor') process.stdout.write('fake host report\n');
else if (process.argv[2] === 'dap') DebugSession.run(FakeAdapter);
else process.stderr.write(readFileSync(__filename, 'utf8').slice(0, 80));
