/** What is known of one session: how its guest is, and the parts of the state that were read, each of its last stop. */
import type { DebugSession } from 'vscode';
import type { MachineInfo, MachineSnapshot, PagesChoice, StatePart } from '../../debug-adapter/protocol/custom.ts';
import { request } from '../debug/ringside-session.ts';
import { FollowedParts } from './followed-parts.ts';
import { TopFrames } from './top-frames.ts';

/** Parts that every frame has its own of. */
const OF_FRAMES: ReadonlySet<StatePart> = new Set(['registers']);

export type Phase = 'starting' | 'running' | 'stopped' | 'ended';

/** A guest as pages show it. */
export type ShownPhase = 'running' | 'stopped' | 'ended';

export type PartValue<Part extends StatePart> = NonNullable<MachineSnapshot[Part]>;

/** A part as it was read at stop number `stop` of `threadId`. */
export interface KeptPart<Part extends StatePart = StatePart> {
  readonly stop: number;
  readonly threadId: number;
  /** The frame that registers are of; undefined for the innermost. */
  readonly frameId: number | undefined;
  readonly value: PartValue<Part>;
}

export class SessionState {
  phase: Phase = 'starting';
  /** True when views may say that the guest runs. */
  runningShown = false;
  threadId = 1;
  /** The frame that is selected; undefined for the innermost. */
  frameId: number | undefined;
  readonly tops = new TopFrames();
  /** Counts stops, changes of thread and refreshes: what is to be read anew. */
  stop = 0;
  endMessage: string | undefined;
  /** The machine that was booted, where it is known. */
  info: MachineInfo | undefined;
  /** Which page tables are looked at. */
  pages: PagesChoice = {};
  readonly parts = new Map<StatePart, KeptPart>();
  timer: NodeJS.Timeout | undefined;
  readonly followed: FollowedParts;

  constructor(readonly session: DebugSession) {
    this.followed = new FollowedParts(session);
  }

  /** The guest has stopped; what is followed comes by itself. */
  stopped(threadId: number | undefined): void {
    this.threadId = threadId ?? this.threadId;
    this.frameId = undefined;
    this.tops.clear();
    this.stop++;
    this.followed.stopped(this.stop);
  }

  /** True for a part of the present stop that is on its way. */
  isComing(part: StatePart): boolean {
    return this.phase === 'stopped' && this.followed.isComing(part, this.stop);
  }

  /** True for a part that is neither here nor comes by itself. */
  lacks(part: StatePart): boolean {
    const kept = this.parts.get(part);
    const ofFrames = OF_FRAMES.has(part);
    if (kept?.stop === this.stop) return ofFrames && kept.frameId !== this.frameId;
    // The innermost frame's come by themselves.
    return (ofFrames && this.frameId !== undefined) || !this.isComing(part);
  }

  /** Asks for parts of the present stop. False when they came too late. */
  async read(parts: readonly StatePart[]): Promise<boolean> {
    const { session, stop, threadId, frameId, pages } = this;
    const frame = frameId === undefined ? {} : { frameId };
    const snapshot = await request(session, 'ringside/snapshot', { threadId, parts, pages, ...frame }).catch(
      (error: Error): MachineSnapshot => {
        const failed = { error: error.message };
        return { threadId, ...Object.fromEntries(parts.map((part) => [part, failed])) };
      },
    );
    if (this.stop !== stop) return false;
    this.keep(snapshot, frameId);
    return true;
  }

  /** Takes the part that the adapter has sent by itself, and says which; undefined for one of an earlier stop. */
  take(made: MachineSnapshot): StatePart | undefined {
    const [part] = partsOf(made)[0] ?? [];
    if (!part || !this.followed.take(part, this.stop)) return undefined;
    this.keep(made);
    return part;
  }

  keep(snapshot: MachineSnapshot, frameId?: number): void {
    const { threadId } = snapshot;
    for (const [part, value] of partsOf(snapshot)) {
      // Of a frame that is selected no more.
      if (!value || (OF_FRAMES.has(part) && this.phase === 'stopped' && frameId !== this.frameId)) continue;
      this.parts.set(part, { stop: this.stop, threadId, frameId, value });
    }
  }
}

function partsOf({ threadId: _, ...parts }: MachineSnapshot): [StatePart, PartValue<StatePart> | undefined][] {
  return Object.entries(parts) as [StatePart, PartValue<StatePart> | undefined][];
}
