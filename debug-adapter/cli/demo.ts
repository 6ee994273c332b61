/**
 * `ringside demo`, what `npm start` shows: a debug session of the sample guest, driven through the debug adapter as an
 * editor would drive it.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RingsideEvents } from '../protocol/custom.ts';
import { DapClient, RequestFailed } from './dap-client.ts';
import { bold, dim, green, heading, print, yellow } from './demo-layout.ts';
import { showCallStack, showLocals, showMachine, showSource, showWalk } from './demo-views.ts';

const ROOT = join(__dirname, '..');
const SAMPLE = join(ROOT, 'media', 'sample', 'ringside-sample.elf');
const SOURCE = join(ROOT, 'test', 'guests', 'sample', 'showcase.c');
const MARKER = '#MARKER showcase-loop';
/** A guest that has not come to the breakpoint by then, in milliseconds, will not. */
const PATIENCE = 60_000;

/** Runs the demo on this terminal; resolves with the exit status. */
export async function demo(): Promise<number> {
  if (!existsSync(SAMPLE)) {
    print(`The sample guest is missing: ${SAMPLE}. Run the demo in a clone of Ringside.`);
    return 1;
  }
  const adapter = spawn(process.execPath, [join(__dirname, 'ringside.js'), 'dap'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const client = new DapClient(adapter.stdout, adapter.stdin);
  const late = setTimeout(() => client.end(new Error('the guest did not come to the breakpoint in time')), PATIENCE);
  const consoleText: string[] = [];
  client.onMessage = (message) => {
    if (message.type === 'event' && 'event' in message && message.event === 'output') {
      const { category, output } = (message as { body?: { category?: string; output?: string } }).body ?? {};
      if (category === 'stdout') consoleText.push(output ?? '');
      if (category === 'important') print(yellow((output ?? '').trimEnd()));
    }
  };
  try {
    await show(client, consoleText);
    return 0;
  } catch (error) {
    print();
    print(yellow(error instanceof RequestFailed ? error.message : `The demo failed: ${String(error)}`));
    return 1;
  } finally {
    clearTimeout(late);
    adapter.stdin.end();
  }
}

async function show(client: DapClient, consoleText: readonly string[]): Promise<void> {
  await client.request('initialize', { adapterID: 'kvm', clientName: 'ringside demo' });
  print(`${bold('Ringside')}: booting ${dim('media/sample/ringside-sample.elf')} under its debugger`);
  await client.request('launch', { program: SAMPLE, memory: '64M', cpus: 1, console: 'internalConsole' });
  const { info } = await client.event<RingsideEvents['ringside/started']>('ringside/started');
  await client.event('initialized');
  const { module, trap } = info.host;
  print(dim(trap === 'none' ? `host: ${module}, ${info.version}` : `host: ${module}, breakpoints by ${trap}`));

  const line =
    readFileSync(SOURCE, 'utf8')
      .split('\n')
      .findIndex((text) => text.includes(MARKER)) + 1;
  await client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints: [{ line }] });
  await client.request('configurationDone');
  const { threadId = 1 } = await client.stopped();

  const frame = await showCallStack(client, threadId, true);
  await showLocals(client, frame.id);
  await showMachine(client, threadId, 'registers');
  await showWalk(client, threadId, '$rip');
  await showMachine(client, threadId, 'interrupts');
  await showMachine(client, threadId, 'hypercalls');
  await showMachine(client, threadId, 'memoryMap');

  heading('One step', 'next');
  await client.request('next', { threadId, granularity: 'line' });
  await client.stopped();
  const { stackFrames } = await client.request('stackTrace', { threadId, levels: 1 });
  const [after] = stackFrames;
  if (after) showSource(after);

  heading('Guest console', 'COM1');
  for (const text of consoleText.join('').split(/\r?\n/)) print(`  ${green(text)}`);
  await client.request('disconnect', { terminateDebuggee: true });

  heading('The same in VS Code');
  print('  npm run vscode      opens this folder in VS Code with Ringside installed: press F5');
  print('  npx ringside doctor says what KVM can do on this machine');
  print();
}
