// `npm run vscode`: this checkout's extension in VS Code, with the sample guest's folder open. The desktop's `code` when it
// is on PATH; else VS Code's server, to be opened in a browser at the printed address, until it is stopped by ctrl-C.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.mjs';
import { installVscode, vscodePrograms } from './install-vscode.mjs';
import { prepare, root } from './prepare.mjs';

const opened = join(root, 'test/guests/sample/main.c');

const settings = {
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'security.workspace.trust.enabled': false,
  // What VS Code would show beside the guest at its first start.
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
};

/** True when the desktop's VS Code took the request. */
function openDesktop() {
  const run = spawnSync('code', [`--extensionDevelopmentPath=${root}`, root, '--goto', opened], { stdio: 'inherit' });
  return run.status === 0;
}

/** Folders of the server's own, with this checkout as the only extension. */
function serverFolders() {
  const base = mkdtempSync(join(tmpdir(), 'ringside-vscode-'));
  const { publisher, name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  mkdirSync(join(base, 'extensions'));
  symlinkSync(root, join(base, 'extensions', `${publisher}.${name}-${version}`));
  mkdirSync(join(base, 'tmp'));
  mkdirSync(join(base, 'data/User'), { recursive: true });
  writeFileSync(join(base, 'data/User/settings.json'), JSON.stringify(settings));
  return base;
}

async function serve() {
  const { node, server } = vscodePrograms(installVscode());
  const base = serverFolders();
  const port = await freePort();
  const token = randomBytes(16).toString('hex');
  writeFileSync(join(base, 'token'), token, { mode: 0o600 });
  const child = spawn(
    node,
    [
      ...[server, '--host', '127.0.0.1', '--port', String(port), '--connection-token-file', join(base, 'token')],
      ...['--accept-server-license-terms', '--disable-telemetry', '--server-data-dir', join(base, 'server')],
      ...['--user-data-dir', join(base, 'data'), '--extensions-dir', join(base, 'extensions')],
    ],
    {
      stdio: ['ignore', 'pipe', openSync(join(base, 'log'), 'w')],
      // VS Code leaves sockets there.
      env: { ...process.env, TMPDIR: join(base, 'tmp'), XDG_RUNTIME_DIR: join(base, 'tmp') },
    },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const ended = new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('Extension host agent listening')) continue;
    const payload = JSON.stringify([['openFile', `vscode-remote://127.0.0.1:${port}${opened}`]]);
    const query = new URLSearchParams({ tkn: token, folder: root, payload });
    console.log(`VS Code: http://127.0.0.1:${port}/?${query}`);
    console.log('Set a breakpoint in main.c and press F5. Ctrl-C here ends the server.');
  }
  const status = await ended;
  const log = readFileSync(join(base, 'log'), 'utf8');
  rmSync(base, { recursive: true, force: true });
  if (status) throw new Error(`the server ended with status ${status}:\n${log}`);
}

try {
  prepare();
  if (!openDesktop()) await serve();
} catch (error) {
  console.error(`cannot open VS Code: ${error.message}`);
  process.exitCode = 1;
}
