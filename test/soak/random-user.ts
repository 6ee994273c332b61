/** A user who does one thing after the other with a stopped guest, without a plan. */
import assert from 'node:assert/strict';
import { type DapClient, RequestFailed } from '../../debug-adapter/cli/dap-client.ts';
import { noCaller } from '../../debug-adapter/session/errors.ts';
import type { Chance } from './random.ts';
import type { SessionModel } from './session-model.ts';

/** What there is in the guest to play with. */
export interface Playground {
  readonly cpus: number;
  /** Functions that it comes through often. */
  readonly functions: readonly string[];
  /** Expressions that have a value at any place. */
  readonly expressions: readonly string[];
  /** Variables that it changes often. */
  readonly variables: readonly string[];
  /** What may be typed at its console without harm. */
  readonly typed: readonly string[];
}

/** The longest that the guest runs without a stop, milliseconds. */
const LONGEST_RUN = 80;

export class RandomUser {
  /** What was done, the last at the end: for whoever has to find out why it went wrong. */
  readonly done: string[] = [];
  readonly #client: DapClient;
  readonly #chance: Chance;
  readonly #model: SessionModel;
  readonly #guest: Playground;
  readonly #actions: readonly (() => Promise<void>)[];

  constructor(client: DapClient, chance: Chance, model: SessionModel, guest: Playground) {
    this.#client = client;
    this.#chance = chance;
    this.#model = model;
    this.#guest = guest;
    const moves = [() => this.#continue(), () => this.#step(), () => this.#step(), () => this.#stepInstruction()];
    const settings = [() => this.#setFunctions(), () => this.#watch()];
    const looks = [
      () => this.#lookAtVariables(),
      () => this.#evaluate(),
      () => this.#lookAtViews(),
      () => this.#disassemble(),
    ];
    this.#actions = [...moves, ...moves, ...settings, ...looks];
  }

  async act(): Promise<void> {
    await this.#chance.pick(this.#actions)();
  }

  #note(what: string): void {
    this.done.push(what);
  }

  get #thread(): number {
    return 1 + this.#chance.below(this.#guest.cpus);
  }

  async #letGo(what: string, move: () => Promise<unknown>): Promise<void> {
    this.#note(what);
    const { reason } = await this.#model.letGo(move, this.#chance.below(LONGEST_RUN), () => this.#whileRunning());
    this.#note(`  stopped: ${reason}`);
  }

  #continue(): Promise<void> {
    return this.#letGo('continue', () => this.#client.request('continue', { threadId: this.#thread }));
  }

  async #step(): Promise<void> {
    const [kind, threadId] = [this.#chance.pick(['next', 'stepIn', 'stepOut'] as const), this.#thread];
    try {
      await this.#letGo(`${kind} on ${threadId}`, () => this.#client.request(kind, { threadId }));
    } catch (error) {
      if (!(error instanceof RequestFailed && error.id === noCaller().id)) throw error;
      // Such as user code, of which no frame but its own is known.
      this.#note('  refused: nothing has called');
      const { stackFrames } = await this.#client.request('stackTrace', { threadId });
      assert.equal(stackFrames.length, 1, error.message);
    }
  }

  #stepInstruction(): Promise<void> {
    const [kind, threadId] = [this.#chance.pick(['next', 'stepIn'] as const), this.#thread];
    const args = { threadId, granularity: 'instruction' } as const;
    return this.#letGo(`${kind} an instruction on ${threadId}`, () => this.#client.request(kind, args));
  }

  async #whileRunning(): Promise<void> {
    const [typed] = this.#chance.some(this.#guest.typed, 1);
    this.#note(`  meanwhile${typed === undefined ? '' : ` types ${typed.trim()}`}`);
    await this.#client.request('threads');
    await this.#client.request('ringside/exits');
    await this.#client.request('ringside/vcpus');
    if (typed !== undefined) {
      await this.#client.request('ringside/consoleInput', { data: Buffer.from(typed).toString('base64') });
    }
  }

  async #setFunctions(): Promise<void> {
    const functions = this.#chance.some(this.#guest.functions, 3);
    this.#note(`breakpoints at ${functions.join(' ')}`);
    const { breakpoints } = await this.#client.request('setFunctionBreakpoints', {
      breakpoints: functions.map((name) => ({ name })),
    });
    for (const { verified, message } of breakpoints) assert.ok(verified, message);
    this.#model.functions = functions;
  }

  async #watch(): Promise<void> {
    const [name] = this.#chance.some(this.#guest.variables, 1);
    this.#note(`watches ${name}`);
    const info = name === undefined ? undefined : await this.#client.request('dataBreakpointInfo', { name });
    const ids = info?.dataId ? [{ dataId: info.dataId, accessType: 'write' as const }] : [];
    const { breakpoints } = await this.#client.request('setDataBreakpoints', { breakpoints: ids });
    for (const { verified, message } of breakpoints) assert.ok(verified, message);
    this.#model.watching = ids.length > 0;
  }

  async #topFrame(threadId: number): Promise<number> {
    const { stackFrames } = await this.#client.request('stackTrace', { threadId, levels: 1 });
    return stackFrames[0]?.id ?? 0;
  }

  async #lookAtVariables(): Promise<void> {
    this.#note('looks at variables');
    const { scopes } = await this.#client.request('scopes', { frameId: await this.#topFrame(this.#thread) });
    for (const { variablesReference } of scopes) {
      const { variables } = await this.#client.request('variables', { variablesReference });
      const inner = variables.filter((variable) => variable.variablesReference > 0);
      if (inner.length > 0) {
        await this.#client.request('variables', { variablesReference: this.#chance.pick(inner).variablesReference });
      }
    }
  }

  async #evaluate(): Promise<void> {
    const expression = this.#chance.pick(this.#guest.expressions);
    this.#note(`evaluates ${expression}`);
    const frameId = await this.#topFrame(this.#thread);
    const { result } = await this.#client.request('evaluate', { expression, frameId, context: 'watch' });
    assert.ok(result.length > 0);
  }

  async #lookAtViews(): Promise<void> {
    this.#note('looks at views');
    const parts = ['registers', 'pageTables', 'interrupts', 'hypercalls', 'memoryMap', 'exits', 'vcpus'] as const;
    const snapshot = await this.#client.request('ringside/snapshot', { threadId: this.#thread, parts: [...parts] });
    for (const [name, part] of Object.entries(snapshot)) {
      assert.ok(!(part && typeof part === 'object' && 'error' in part), `${name}: ${JSON.stringify(part)}`);
    }
  }

  async #disassemble(): Promise<void> {
    this.#note('disassembles');
    const { stackFrames } = await this.#client.request('stackTrace', { threadId: this.#thread, levels: 1 });
    const memoryReference = stackFrames[0]?.instructionPointerReference ?? '';
    const range = { instructionOffset: -20, instructionCount: 60 };
    const body = await this.#client.request('disassemble', { memoryReference, resolveSymbols: true, ...range });
    assert.equal(body?.instructions.length, range.instructionCount);
  }
}
