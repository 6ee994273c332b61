/** Typed wrappers of the custom DAP requests and events of debug-adapter/protocol/custom.ts. */
import { type DebugSession, type Disposable, debug } from 'vscode';
import type {
  RingsideEventName,
  RingsideEvents,
  RingsideRequestName,
  RingsideRequests,
} from '../../debug-adapter/protocol/custom.ts';

/** The debug type of package.json. */
export const DEBUG_TYPE = 'kvm';

/** Sends a custom request. Rejects with the adapter's message. */
export function request<Name extends RingsideRequestName>(
  session: DebugSession,
  name: Name,
  args: RingsideRequests[Name]['arguments'],
): Promise<RingsideRequests[Name]['body']> {
  return Promise.resolve(session.customRequest(name, args));
}

/** Calls `listener` for each event `name` of any kvm session. */
export function onRingsideEvent<Name extends RingsideEventName>(
  name: Name,
  listener: (session: DebugSession, body: RingsideEvents[Name]) => void,
): Disposable {
  return debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
    if (session.type === DEBUG_TYPE && event === name) listener(session, body as RingsideEvents[Name]);
  });
}

/** The session that commands act on: the active one when it is ours. */
export function activeSession(): DebugSession | undefined {
  const session = debug.activeDebugSession;
  return session?.type === DEBUG_TYPE ? session : undefined;
}
