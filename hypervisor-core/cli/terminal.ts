/** The guest's serial port on this terminal, with QEMU's escape key: Ctrl-A, then a letter. */
import type { ReadStream, WriteStream } from 'node:tty';
import type { Disposable, Machine } from '../machine/api.ts';

const ESCAPE = 0x01;
const HELP = '\r\nCtrl-A H  this help\r\nCtrl-A X  end the guest\r\nCtrl-A A  send Ctrl-A\r\n';

type Input = NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode' | 'unref'>>;
type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY'>>;

/** Joins the machine's console with the two streams. `onQuit`: the user is done, or nobody reads the output any more. */
export function attachTerminal(
  { console }: Pick<Machine, 'console'>,
  input: Input,
  output: Output,
  onQuit: () => void,
): Disposable {
  let escaped = false;
  const typed = (chunk: Buffer) => {
    const bytes: number[] = [];
    for (const byte of chunk) {
      if (escaped) {
        escaped = false;
        const letter = String.fromCharCode(byte).toLowerCase();
        if (letter === 'x') onQuit();
        else if (letter === 'h') output.write(HELP);
        else if (letter === 'a' || byte === ESCAPE) bytes.push(ESCAPE);
      } else if (byte === ESCAPE && input.isTTY) escaped = true;
      else bytes.push(byte);
    }
    if (bytes.length > 0) console.input(Uint8Array.from(bytes));
  };
  const raw = (on: boolean) => {
    if (input.isTTY) input.setRawMode?.(on);
  };
  raw(true);
  input.on('data', typed);
  output.on('error', onQuit);
  const history = console.history();
  if (history.length > 0) output.write(history);
  const printing = console.onOutput((data) => output.write(data));
  return {
    dispose() {
      printing.dispose();
      input.off('data', typed);
      input.pause();
      output.off('error', onQuit);
      raw(false);
    },
  };
}
