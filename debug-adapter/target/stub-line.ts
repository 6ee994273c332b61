/** The line to a stub, on which one packet may lean on a thread or a memory mode that was selected by an earlier one. */
import type { RspClient } from './rsp-client.ts';
import type { StubAbilities } from './stub-abilities.ts';
import { expectOk } from './stub-replies.ts';

export class StubLine {
  /** What the stub is called in messages. */
  readonly name: string;
  readonly client: RspClient;
  readonly stub: StubAbilities;
  #selected: number | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string, client: RspClient, stub: StubAbilities) {
    this.name = name;
    this.client = client;
    this.stub = stub;
  }

  /** Keeps the packets of one action together. */
  together<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** The same for an action on one thread. */
  onThread<Result>(thread: number, action: () => Promise<Result>): Promise<Result> {
    return this.together(async () => {
      await this.#select(thread);
      return action();
    });
  }

  /** A stop has come, and may have selected another thread. */
  forgetThread(): void {
    this.#selected = undefined;
  }

  async #select(thread: number): Promise<void> {
    if (this.#selected === thread || !this.stub.threadList) return;
    expectOk(await this.client.request(`Hg${thread.toString(16)}`), `select vCPU ${thread - 1}`);
    this.#selected = thread;
  }
}
