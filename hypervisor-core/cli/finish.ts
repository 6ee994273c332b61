/** When a run is over, and with which exit status. */
import type { Disposable, Machine } from '../machine/api.ts';
import type { GuestEnd, MachineState } from '../protocol/inspect.ts';

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export interface FinishOptions {
  /** Whether the run is over with the guest, or goes on so that its last state can be looked at. */
  readonly withGuest: boolean;
  /** Takes one line for a person. */
  readonly say: (line: string) => void;
}

export class Finish implements Disposable {
  /** The exit status, once the run is over and the guest stands still. */
  readonly status: Promise<number>;
  readonly #machine: Machine;
  readonly #options: FinishOptions;
  readonly #states: Disposable;
  readonly #signals: readonly (readonly [NodeJS.Signals, () => void])[];
  #resolve: (status: number) => void = () => undefined;
  #asked: number | undefined;

  constructor(machine: Machine, options: FinishOptions) {
    this.#machine = machine;
    this.#options = options;
    this.status = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#states = machine.onState((state) => this.#ended(state));
    this.#signals = Object.entries(SIGNALS).map(([name, number]) => [
      name as keyof typeof SIGNALS,
      () => this.now(128 + number),
    ]);
    for (const [signal, listener] of this.#signals) process.on(signal, listener);
  }

  /** Ends the run, and the guest if it is still there. The first status given counts. */
  now(status: number): void {
    this.#asked ??= status;
    if (this.#machine.state.kind === 'ended') this.#resolve(this.#asked);
    else this.#machine.kill();
  }

  dispose(): void {
    this.#states.dispose();
    for (const [signal, listener] of this.#signals) process.off(signal, listener);
  }

  #ended(state: MachineState): void {
    if (state.kind !== 'ended') return;
    if (this.#asked === undefined && isSurprise(state.end)) this.#options.say(state.end.message);
    if (this.#asked !== undefined || this.#options.withGuest) this.#resolve(this.#asked ?? state.end.exitStatus);
  }
}

/** Ends that the guest did not choose, or not in an orderly way. */
function isSurprise({ cause }: GuestEnd): boolean {
  return cause === 'triple-fault' || cause === 'error';
}
