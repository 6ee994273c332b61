/**
 * What log points print in the target, for the debug console. A guest prints faster than a window can show: messages of some
 * milliseconds go out together, and what is too much is left out and counted.
 */

/** Milliseconds in which messages are gathered. */
const GATHERING = 50;
/** Messages that go out together, and bytes of one. */
const MOST_MESSAGES = 1000;
const LONGEST_MESSAGE = 16_384;

/** What a message begins with that the target prints for the breakpoint with this number. */
export const messageMark = (id: number): string => `log point ${id}: `;

const marked = /^log point (\d{1,9}): (.*)$/;
/** The core's own words on what it could not send. */
const lost = /^\d+ characters that breakpoints printed were lost$/;

export interface LogSink {
  /** Messages of one breakpoint, a line each, with the last line's end. */
  log(id: number, text: string): void;
  /** Says what was left out. */
  complain(message: string): void;
}

export class LogOutput {
  private rest = '';
  private gathered: { readonly id: number; readonly lines: string[] }[] = [];
  private count = 0;
  private left = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly sink: LogSink) {}

  /** A piece of what the target prints, in which lines of other sorts are, too. */
  take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = (lines.pop() ?? '').slice(0, LONGEST_MESSAGE);
    for (const line of lines) {
      const [, id, message] = marked.exec(line) ?? [];
      if (id !== undefined && message !== undefined) this.add(Number(id), message);
      else if (lost.test(line)) this.sink.complain(`Messages of log points came too fast: ${line}.`);
    }
  }

  /** Hands everything on, before something else is said that came later. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { gathered, left } = this;
    this.gathered = [];
    this.count = 0;
    this.left = 0;
    for (const { id, lines } of gathered) this.sink.log(id, `${lines.join('\n')}\n`);
    if (left > 0) this.sink.complain(`Messages of log points came too fast: ${left} are not shown.`);
  }

  private add(id: number, message: string): void {
    this.timer ??= setTimeout(() => this.flush(), GATHERING);
    if (this.count >= MOST_MESSAGES) {
      this.left++;
      return;
    }
    this.count++;
    const last = this.gathered.at(-1);
    if (last?.id === id) last.lines.push(message);
    else this.gathered.push({ id, lines: [message] });
  }
}
