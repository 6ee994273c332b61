/** Which frames are the innermost ones of their vCPUs, as the stack traces say that VS Code asks for. */
interface Message {
  readonly type: string;
  readonly command?: string;
  readonly seq?: number;
  readonly request_seq?: number;
  readonly arguments?: { readonly startFrame?: number };
  readonly body?: { readonly stackFrames?: readonly { readonly id: number }[] };
}

export class TopFrames {
  /** Requests for stacks from their first frame on. */
  readonly #asked = new Set<number>();
  readonly #known = new Set<number>();

  /** Takes any message from VS Code. */
  asked({ type, command, seq, arguments: args }: Message): void {
    if (type === 'request' && command === 'stackTrace' && seq !== undefined && !args?.startFrame) this.#asked.add(seq);
  }

  /** Takes any message to VS Code. */
  answered({ type, request_seq: seq, body }: Message): void {
    if (type !== 'response' || seq === undefined || !this.#asked.delete(seq)) return;
    const [top] = body?.stackFrames ?? [];
    if (top) this.#known.add(top.id);
  }

  has(frame: number): boolean {
    return this.#known.has(frame);
  }

  /** The guest stands somewhere else: ids mean other frames. */
  clear(): void {
    this.#known.clear();
  }
}
