/**
 * Tests that run inside the extension host, with VS Code's API and no window to look at. `run` is what VS Code calls for
 * `extensionTestsPath`, in the server and under @vscode/test-electron alike. The adapter is the fake one.
 */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';

const EXTENSION = 'ringside.ringside';
const TIMEOUT_MS = 30_000;

function event<Value>(subscribe: vscode.Event<Value>, wanted: (value: Value) => boolean): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the event did not come')), TIMEOUT_MS);
    const subscription = subscribe((value) => {
      if (!wanted(value)) return;
      clearTimeout(timer);
      subscription.dispose();
      resolve(value);
    });
  });
}

const folder = () => {
  const [first] = vscode.workspace.workspaceFolders ?? [];
  assert.ok(first, 'a folder is open');
  return first;
};

const configuration = { type: 'kvm', request: 'launch', name: 'test guest', program: `\${workspaceFolder}/kernel.elf` };
const serial = () => vscode.window.terminals.filter(({ name }) => name === 'Guest serial: test guest');

/** Starts the guest and resolves when it has stopped and the frame is focused. */
async function start(): Promise<vscode.DebugSession> {
  const focused = event(vscode.debug.onDidChangeActiveStackItem, (item) => item instanceof vscode.DebugStackFrame);
  assert.equal(await vscode.debug.startDebugging(folder(), configuration), true);
  const item = await focused;
  assert.ok(item);
  return item.session;
}

async function stop(session: vscode.DebugSession): Promise<void> {
  const over = event(vscode.debug.onDidTerminateDebugSession, ({ id }) => id === session.id);
  await vscode.debug.stopDebugging(session);
  await over;
}

const tests: Readonly<Record<string, () => Promise<void>>> = {
  'activates, and registers its commands': async () => {
    const extension = vscode.extensions.getExtension(EXTENSION);
    assert.ok(extension);
    await extension.activate();
    const commands = new Set(await vscode.commands.getCommands(true));
    for (const { command } of extension.packageJSON.contributes.commands) assert.ok(commands.has(command), command);
  },
  'the adapter runs with the runtime of VS Code and answers custom requests': async () => {
    const session = await start();
    const snapshot = await session.customRequest('ringside/snapshot', { threadId: 1, parts: ['memoryMap'] });
    assert.equal(snapshot.memoryMap.regions.length, 7);
    await stop(session);
  },
  'a relative program is resolved against the folder': async () => {
    const started = event(vscode.debug.onDidStartDebugSession, ({ type }) => type === 'kvm');
    await vscode.debug.startDebugging(folder(), { ...configuration, program: 'kernel.elf' });
    const session = await started;
    const { program } = session.configuration;
    assert.equal(program, vscode.Uri.joinPath(folder().uri, 'kernel.elf').fsPath);
    await stop(session);
  },
  'the serial terminal outlives its guest and serves the next one': async () => {
    await stop(await start());
    assert.equal(serial().length, 1);
    const [first] = serial();
    const session = await start();
    assert.deepEqual(serial(), [first]);
    await stop(session);
    assert.equal(first?.exitStatus, undefined);
  },
  'picks the only kernel of the folder': async () => {
    const picked = await vscode.commands.executeCommand('ringside.pickKernel');
    assert.equal(picked, vscode.Uri.joinPath(folder().uri, 'kernel.elf').fsPath);
  },
  'assembly sources take breakpoints': async () => {
    const source = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder().uri, 'boot.S'));
    assert.equal(source.languageId, 'asm');
  },
};

/** Runs all tests one after the other; rejects with the failures. */
export async function run(): Promise<void> {
  const failures: string[] = [];
  for (const [name, body] of Object.entries(tests)) {
    try {
      await body();
      console.log(`passed: ${name}`);
    } catch (error) {
      failures.push(name);
      console.error(`failed: ${name}\n${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  if (failures.length > 0) throw new Error(`${failures.length} failed: ${failures.join(', ')}`);
  console.log(`all ${Object.keys(tests).length} passed`);
}
