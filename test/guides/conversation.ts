/** A `console` block of a page: what is typed at prompts, and what is seen of the answers. */
import { spawnSync } from 'node:child_process';
import { patience } from '../patience.ts';

interface Turn {
  readonly prompt: '$' | '(gdb)' | '(lldb)';
  readonly typed: string;
  /** Lines of the answer that the page shows. */
  readonly shown: string;
}

const PROMPT = /^(\$|\(gdb\)|\(lldb\)) (.*)$/;

export function turnsOf(text: string): Turn[] {
  const turns: Turn[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const [, prompt, typed = ''] = PROMPT.exec(line) ?? [];
    const last = turns.at(-1);
    if (prompt) turns.push({ prompt: prompt as Turn['prompt'], typed, shown: '' });
    else if (last) turns[turns.length - 1] = { ...last, shown: `${last.shown}${line}\n` };
  }
  return turns;
}

/** How a debugger is told its commands in advance, and what it prints before the answer to each of them. */
const debuggers = {
  '(gdb)': {
    flags: ['-nx', '-q', '-batch', '-iex', 'set width 0', '-iex', 'set auto-load safe-path /'],
    command: (typed: string, index: number) => ['-ex', `echo \\n@@ ${index}\\n`, '-ex', typed],
    answers: (output: string) => output.split(/^@@ \d+$/m).slice(1),
  },
  // A `(lldb)` before each command; it wants the end of its input, too, or waits for more commands.
  '(lldb)': {
    flags: ['--batch', '--no-lldbinit'],
    command: (typed: string) => ['-o', typed],
    answers: (output: string) => output.split(/^\(lldb\) .*$/m).slice(2),
  },
};

/** Starts the debugger of `start`, a command line, and types all that the turns say; what it prints, and of that its answers in order. */
export function converse(start: string, turns: readonly Turn[], folder: string): { output: string; answers: string[] } {
  const prompt = turns[0]?.prompt;
  if (prompt === undefined || prompt === '$') throw new Error(`nothing is typed into ${start}`);
  const { flags, command, answers } = debuggers[prompt];
  const commands = turns.flatMap(({ typed }, index) => command(typed, index));
  const line = start.replace(/^\w+/, '$& "$@"');
  const { stdout } = spawnSync('bash', ['-c', `${line} 2>&1`, 'bash', ...flags, ...commands], {
    cwd: folder,
    encoding: 'utf8',
    timeout: patience(120_000),
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { output: stdout, answers: answers(stdout) };
}
