/** Debian's gdb over its machine interface, so that tests look at results and not at a screen. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { patience } from '../patience.ts';

/** Milliseconds after which a test that waits for gdb fails. */
const PATIENCE = patience(60_000);

interface Waiter {
  readonly match: (line: string) => boolean;
  readonly resolve: (line: string) => void;
}

export class Gdb {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiters: Waiter[] = [];
  #token = 0;

  constructor(program: string) {
    this.#process = spawn('gdb', ['-nx', '-q', '--interpreter=mi3', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      this.#lines.push(line);
      for (const waiter of this.#waiters.filter(({ match }) => match(line))) {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        waiter.resolve(line);
      }
    });
  }

  /** Runs one MI command and gives its result record. */
  async send(command: string): Promise<string> {
    const token = String(++this.#token);
    const result = this.#next((line) => new RegExp(`^${token}\\^`).test(line), command);
    this.#process.stdin?.write(`${token}${command}\n`);
    const line = (await result).slice(token.length);
    if (line.startsWith('^error')) throw new Error(`gdb: ${command}: ${line}`);
    return line;
  }

  /** Runs one command of gdb's own language and gives what it printed. */
  async console(command: string): Promise<string> {
    const from = this.#lines.length;
    await this.send(`-interpreter-exec console ${JSON.stringify(command)}`);
    return this.#lines
      .slice(from)
      .filter((line) => /^[~@]"/.test(line))
      .map((line) => JSON.parse(line.slice(1)) as string)
      .join('');
  }

  /** Sends a command that lets the guest go, and gives the stop that ends it. */
  async until(command: string): Promise<string> {
    const stop = this.stop();
    await this.send(command);
    return stop;
  }

  /** The next stop. */
  stop(): Promise<string> {
    return this.#next((line) => line.startsWith('*stopped'), 'a stop');
  }

  /** Control-C. */
  interrupt(): void {
    this.#process.kill('SIGINT');
  }

  async value(expression: string): Promise<bigint> {
    const result = await this.send(`-data-evaluate-expression "(unsigned long)(${expression})"`);
    return BigInt(/value="(.*)"/.exec(result)?.[1] ?? '');
  }

  /** Registers by name as gdb shows them raw, e.g. `0x1f80`. */
  async registers(): Promise<ReadonlyMap<string, string>> {
    const names = [...(await this.send('-data-list-register-names')).matchAll(/"(\w*)"/g)].map(
      ([, name]) => name ?? '',
    );
    const values = await this.send('-data-list-register-values r');
    return new Map(
      [...values.matchAll(/number="(\d+)",value="([^"]*)"/g)].map(([, number, value]) => [
        names[Number(number)] ?? '',
        value ?? '',
      ]),
    );
  }

  async quit(): Promise<void> {
    const closed = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.stdin?.end('-gdb-exit\n');
    await closed;
  }

  #next(match: (line: string) => boolean, what: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`gdb did not answer: ${what}\n${this.#lines.slice(-20).join('\n')}`)),
        PATIENCE,
      );
      this.#waiters.push({
        match,
        resolve: (line) => {
          clearTimeout(timer);
          resolve(line);
        },
      });
    });
  }
}
