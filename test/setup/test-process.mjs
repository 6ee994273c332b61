// Runs a command that prints the lines of event-reporter.mjs, and collects the tests' results from them.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { mark } from './event-reporter.mjs';

/** Process groups that are running; they end with this process. */
const running = new Set();
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGTERM');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** Longest tail of other output that is kept for a report. */
const keptLines = 60;

/**
 * What a suite came to: the events in order; `problem` when the run as a whole went wrong; `output`, the end of what was
 * printed beside the events; `status`, the command's exit status, signal or error.
 * @typedef {{ events: { result: 'passed' | 'failed' | 'skipped', name: string, milliseconds: number, error?: string,
 *   why?: string }[], problem?: string, output: string, status?: number | string }} SuiteResult
 */

/** How long a process group may take to end what it started itself, before it is killed. */
const graceMilliseconds = 5000;

/** Signals a process group; it may have ended meanwhile. */
function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/**
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {{ cwd: string, seconds: number, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<SuiteResult>}
 */
export async function collectTests(command, parameters, { cwd, seconds, env }) {
  const child = spawn(command, parameters, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  if (child.pid) running.add(child.pid);
  const events = [];
  const other = [];
  const read = (stream) =>
    createInterface({ input: stream }).on('line', (line) => {
      const at = line.indexOf(mark);
      const event = at >= 0 ? parseEvent(line.slice(at + mark.length)) : undefined;
      if (event) events.push(event);
      else if (line.trim() !== '') other.push(line);
      if (other.length > keptLines) other.shift();
    });
  read(child.stdout);
  read(child.stderr);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    signalGroup(child.pid, 'SIGTERM');
    setTimeout(() => signalGroup(child.pid, 'SIGKILL'), graceMilliseconds).unref();
  }, seconds * 1000);
  const status = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  clearTimeout(timer);
  running.delete(child.pid);
  const problem = problemOf(status, timedOut && seconds, events);
  return { events, output: other.join('\n'), status, ...(problem && { problem }) };
}

function parseEvent(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemOf(status, seconds, events) {
  if (seconds) return `gave up after ${seconds} s`;
  if (events.length === 0) return `ran no test (status ${status})`;
  if (status !== 0 && !events.some((event) => event.result === 'failed')) return `ended with status ${status}`;
  return undefined;
}

/** Runs bundled tests here, one file after the other. */
export function runBundles(root, bundles, seconds, env = {}) {
  return collectTests(process.execPath, nodeTestFlags('test/setup/event-reporter.mjs', bundles), {
    cwd: root,
    seconds,
    env,
  });
}

/** Flags for node to run `bundles` and report by the reporter at `reporter`. */
export function nodeTestFlags(reporter, bundles, concurrency = 1) {
  return [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-reporter=./${reporter}`,
    '--test-reporter-destination=stdout',
    ...bundles,
  ];
}
