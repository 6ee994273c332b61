/** Writes by the user, and telling the client what else may look different now. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Value } from '../expressions/api.ts';
import type { Session, ShownFrame } from './session.ts';

/** Assigns the C expression `source`; what {@link registerText} adds behind a number may be left standing. */
export async function assign(session: Session, shown: ShownFrame, target: Value, source: string): Promise<Value> {
  const plain = /^\s*(0x[0-9a-f]+|\d+)\s+\[[A-Z0-9_= ]*\]\s*$/i.exec(source)?.[1] ?? source;
  const now = await session.expressions.assign(target, plain, shown.context);
  announce(session, target);
  return now;
}

/**
 * Does what may write, and announces it if it did. VS Code takes the focus from its Debug Console for another stack, so that
 * it is told of one only where it is another.
 */
export async function announcing<Result>(
  session: Session,
  thread: number,
  write: () => Promise<Result>,
): Promise<Result> {
  const state = session.stopped;
  const { writes } = state;
  const stack = async () => (await state.frames(thread)).map(({ pc }) => pc).join();
  const before = await stack();
  const result = await write();
  if (state.writes !== writes) invalidate(session, (await stack()) === before ? 'variables' : 'all');
  return result;
}

function announce(session: Session, { place }: Value): void {
  if (place.kind === 'memory') announceMemory(session, hex(place.address), 8);
  else announceRegisters(session);
}

/**
 * `count` bytes from `memoryReference` on are other ones. Open memory editors show the bytes that were there before, and so do
 * the texts of structures that these are in, and whatever else leads to them.
 */
export function announceMemory(session: Session, memoryReference: string, count: number): void {
  if (session.client.supportsMemoryEvent) session.send.event('memory', { memoryReference, offset: 0, count });
  invalidate(session, 'variables');
}

/** A register may have been RIP or RSP: stacks, and all variables found through them, are other ones. */
export function announceRegisters(session: Session): void {
  invalidate(session, 'all');
}

function invalidate(session: Session, area: DebugProtocol.InvalidatedAreas): void {
  if (session.client.supportsInvalidatedEvent) session.send.event('invalidated', { areas: [area] });
}
