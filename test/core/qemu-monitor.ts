/** QEMU with a kernel, and its monitor on standard input and output: the other opinion on a guest's state. */
import { type ChildProcess, spawn } from 'node:child_process';
import { patience } from '../patience.ts';

/** Milliseconds until a guest halts, firmware included. */
const MOST = patience(20_000);

export class QemuMonitor {
  readonly #process: ChildProcess;
  #output = '';
  #waiting: (() => void) | undefined;

  constructor(kernel: string, options: readonly string[] = [], accelerator: 'tcg' | 'kvm' = 'tcg') {
    const common = ['-accel', accelerator, '-m', '16M', '-nic', 'none', '-display', 'none', '-monitor', 'stdio'];
    this.#process = spawn('qemu-system-x86_64', [...common, ...options, '-kernel', kernel], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#process.stdout?.setEncoding('latin1').on('data', (text: string) => {
      this.#output += text;
      this.#waiting?.();
    });
  }

  /** The monitor's answer to one command. */
  async ask(command: string): Promise<string> {
    await this.#prompt();
    this.#output = '';
    this.#process.stdin?.write(`${command}\n`);
    const answer = await this.#prompt();
    return answer.slice(answer.indexOf('\n') + 1);
  }

  /** `info registers` of the halted guest, once what they say is so, too. Throws when that takes too long. */
  async halted(reached: (registers: string) => boolean): Promise<string> {
    const end = Date.now() + MOST;
    for (;;) {
      const registers = await this.ask('info registers');
      if (/HLT=1/.test(registers) && reached(registers)) return registers;
      if (Date.now() > end) throw new Error(`the guest under QEMU has not come to its halt:\n${registers}`);
    }
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async #prompt(): Promise<string> {
    while (!this.#output.endsWith('(qemu) ')) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.#output;
  }
}
