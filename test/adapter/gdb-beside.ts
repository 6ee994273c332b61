/** Debian's gdb on the guest that the adapter has stopped, by the guest's second address. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import {
  type GdbAnswer,
  gdbAnswers,
  gdbCommands,
  normalText,
  normalType,
} from '../../debug-adapter/expressions/gdb-text.ts';
import { patience } from '../patience.ts';

/** What gdb prints to `commands`, given `program`'s symbols. */
export async function gdbOutput(program: string, socket: string, commands: readonly string[]): Promise<string> {
  const settings = ['set confirm off', 'set width 0', 'set print repeats 10', `target remote ${socket}`];
  const all = [...settings, ...commands, 'disconnect'].flatMap((command) => ['-ex', command]);
  const gdb = spawn('gdb', ['-batch', '-nx', ...all, program], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: patience(60_000),
  });
  let output = '';
  gdb.stdout.on('data', (data: Buffer) => {
    output += data.toString('latin1');
  });
  await once(gdb, 'close');
  return output;
}

/** gdb's values of expressions in frame `level`, by expression. */
export async function gdbValues(program: string, socket: string, level: number, expressions: readonly string[]) {
  const commands = [`frame ${level}`, ...expressions.flatMap((expression) => gdbCommands(expression))];
  return gdbAnswers(await gdbOutput(program, socket, commands));
}

/** Fails where the adapter's value of an expression in a frame is not what gdb shows, or where it has one that gdb has not. */
export async function assertAsGdb(
  client: DapClient,
  frameId: number,
  expression: string,
  expected: GdbAnswer | undefined,
): Promise<void> {
  assert.ok(expected && expected.text !== '', `gdb does not answer ${expression}`);
  const asked = client.request('evaluate', { expression, context: 'watch', frameId });
  // gdb's errors are not in its output: the type follows where the value should be.
  if (expected.text.startsWith('type = ')) {
    await assert.rejects(asked, /optimized out|not located in memory/);
    return;
  }
  const body = await asked;
  assert.equal(normalText(body.result), normalText(expected.text), expression);
  // gdb 13 takes sizeof for an int when it only wants the type.
  if (expected.type !== '' && !expression.startsWith('sizeof'))
    assert.equal(normalType(body.type ?? ''), normalType(expected.type), expression);
}

/** Functions with file and line of a backtrace as gdb prints it, innermost first; those that have source. */
export function gdbFrames(output: string): string[] {
  const frames = output.matchAll(/^#\d+\s+(?:0x[0-9a-f]+ in )?(\w+) .* at .*?([\w.]+):(\d+)$/gm);
  return [...frames].map(([, name, file, line]) => `${name} ${file}:${line}`);
}
