/**
 * The DAP server: takes requests off the wire, hands each to the area that answers it, and sends what comes back.
 * Requests are answered one after the other, so that no handler sees another's half-done work; those that must get
 * through while another waits are named in {@link URGENT}.
 */
import { ProtocolServer } from '@vscode/debugadapter/lib/protocol';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { RingsideEventName, RingsideEvents } from '../protocol/custom.ts';
import type { Area } from './area.ts';
import { describeError, type UserError, unknownRequest } from './errors.ts';
import type { StartTarget } from './guest.ts';
import { type EventSink, Session } from './session.ts';

const URGENT: ReadonlySet<string> = new Set(['pause', 'disconnect', 'terminate', 'ringside/consoleInput']);

/** Bytes; nothing a debugger says is longer, so more is a client gone wrong. */
const LONGEST_NAME = 200;

type Handler = (session: Session, args: unknown) => unknown;

export class DapServer extends ProtocolServer implements EventSink {
  private readonly handlers = new Map<string, Handler>();
  private readonly session: Session;
  private queue: Promise<void> = Promise.resolve();

  constructor(areas: readonly Area[], startTarget: StartTarget) {
    super();
    const capabilities = Object.assign({}, ...areas.map((area) => area.capabilities)) as DebugProtocol.Capabilities;
    this.session = new Session(this, capabilities, startTarget);
    for (const area of areas) {
      for (const [name, handler] of Object.entries(area.handlers)) this.handlers.set(name, handler as Handler);
    }
    // ProtocolServer reports malformed input as 'error', which ends the process when nobody listens.
    this.on('error', () => undefined);
  }

  /** Ends the guest and lets go of everything. Safe to call more than once. */
  async close(): Promise<void> {
    await this.session.close();
  }

  event(name: string, body: unknown): void {
    this.sendEvent({ seq: 0, type: 'event', event: name, body });
  }

  ringside<Name extends RingsideEventName>(name: Name, body: RingsideEvents[Name]): void {
    this.event(name, body);
  }

  inTurn(work: () => Promise<void>): void {
    this.queue = this.queue.then(work);
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    if (URGENT.has(request.command)) void this.answer(request);
    else this.inTurn(() => this.answer(request));
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const response = {
      seq: 0,
      type: 'response',
      request_seq: typeof request.seq === 'number' ? request.seq : 0,
      command: String(request.command).slice(0, LONGEST_NAME),
      success: true,
    };
    try {
      const handler = this.handlers.get(request.command);
      if (!handler) throw unknownRequest(response.command);
      const args = request.arguments;
      const body = await handler(this.session, typeof args === 'object' && args !== null ? args : {});
      this.sendResponse({ ...response, ...(body === undefined ? {} : { body }) });
    } catch (error) {
      this.sendResponse(failed(response, describeError(error)));
    }
  }
}

/** `format` carries the whole text: DAP's variables in braces are not used, so braces in it must not look like them. */
function failed(response: DebugProtocol.Response, error: UserError): DebugProtocol.ErrorResponse {
  return {
    ...response,
    success: false,
    message: error.message,
    body: {
      error: { id: error.id, format: '{text}', variables: { text: error.message }, showUser: error.show },
    },
  };
}
