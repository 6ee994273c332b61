/** Somebody who does what a page says: writes its files, types its commands, and compares. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LaunchAttributes } from '../../debug-adapter/protocol/custom.ts';
import { patience } from '../patience.ts';
import { converse, turnsOf } from './conversation.ts';
import { type Page, patternOf } from './page.ts';

const root = join(__dirname, '../..');

/** How gdb and lldb say that a command, or something that it names, is not there. */
const REFUSED = /^(invalid command|Undefined|Ambiguous|No symbol|Function ".*" not|Cannot|Error|error:)/m;

/** What a test does in place of commands, by the page's words for it; shell commands in turn. */
type StandIns = Readonly<Record<string, string>>;

export class Reader {
  readonly folder = mkdtempSync(join(tmpdir(), 'ringside-guide-'));
  /** The folder that the terminal is in. */
  #terminal = this.folder;
  readonly #children: ChildProcess[] = [];
  readonly #environment: Readonly<Record<string, string | undefined>>;

  /** `ringside` is this checkout's, as `npm link` puts it there. */
  constructor() {
    const prefix = join(this.folder, '.npm');
    this.#environment = {
      ...process.env,
      PATH: `${join(prefix, 'bin')}:${process.env['PATH']}`,
      npm_config_prefix: prefix,
      npm_config_cache: join(prefix, 'cache'),
      npm_config_update_notifier: 'false',
    };
    execFileSync('npm', ['link', '--offline', '--silent'], { cwd: root, env: this.#environment, stdio: 'ignore' });
  }

  /** Does all blocks in order; returns what was printed. */
  async follow(
    page: Page,
    heading: string,
    standIns: StandIns = {},
    reword = (command: string) => command,
  ): Promise<string> {
    let printed = '';
    let last = '';
    for (const { language, text, file, standIn } of page.blocks(heading)) {
      if (file) this.write(file, text);
      else if (language === 'sh') {
        last = this.type(standIn === undefined ? text : this.#inPlace(standIn, standIns));
        printed += last;
      } else if (language === 'text') assertLines(last, text);
      else if (language === 'console') await this.talk(reword(text));
    }
    return printed;
  }

  /** Types a `console` block: commands for the shell, of which the last starts a debugger, and what is said to that. */
  async talk(text: string): Promise<void> {
    const turns = turnsOf(text);
    const shell = turns.filter(({ prompt }) => prompt === '$');
    const said = turns.filter(({ prompt }) => prompt !== '$');
    const start = shell.pop()?.typed ?? '';
    for (const { typed } of shell) await this.#inBackground(typed);
    const { output, answers } = converse(start, said, this.#terminal);
    // What is refused is said on another stream than answers are, and comes at any place.
    assert.doesNotMatch(output, REFUSED);
    for (const [index, { typed, shown }] of said.entries()) {
      const answer = answers[index] ?? '';
      assertLines(answer, shown, () => `after ${typed}\n${answers.join('---\n')}`);
    }
  }

  /** `command &`, until the socket that it names for debuggers is there. */
  async #inBackground(command: string): Promise<void> {
    const [, socket = ''] = /--gdb unix:(\S+)/.exec(command) ?? [];
    const path = join(this.#terminal, socket);
    rmSync(path, { force: true });
    // It ends even where the test does not come to its end.
    const bounded = ['-s', 'KILL', String(patience(300)), 'bash', '-c', command.replace(/ &$/, '')];
    const child = spawn('timeout', bounded, {
      cwd: this.#terminal,
      env: this.#environment,
      stdio: 'ignore',
      detached: true,
    });
    this.#children.push(child);
    while (!existsSync(path)) {
      assert.equal(child.exitCode, null, command);
      await delay(50);
    }
  }

  write(file: string, text: string): void {
    const path = join(this.folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Attributes of the first configuration in the launch.json that was written. */
  launchAttributes(): LaunchAttributes {
    const text = readFileSync(join(this.folder, '.vscode/launch.json'), 'utf8');
    const { configurations } = JSON.parse(text.replaceAll(/\$\{workspaceFolder\}/g, this.folder));
    return configurations[0];
  }

  /** Runs commands in the terminal; returns what they print. Throws at the first that fails. */
  type(commands: string): string {
    const place = join(this.folder, '.place');
    const run = spawnSync('bash', ['-ec', `exec 2>&1\n${commands}\npwd >'${place}'`], {
      cwd: this.#terminal,
      env: this.#environment,
      encoding: 'utf8',
      timeout: patience(60_000),
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.equal(run.status, 0, `${commands}\n${run.error ?? ''}${run.stdout}`);
    this.#terminal = readFileSync(place, 'utf8').trim();
    return run.stdout.replaceAll('\r', '');
  }

  close(): void {
    for (const { pid, exitCode } of this.#children) {
      // Its whole group: npx, and what that started.
      if (pid !== undefined && exitCode === null) process.kill(-pid, 'SIGKILL');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #inPlace(words: string, standIns: StandIns): string {
    const commands = standIns[words];
    assert.ok(commands !== undefined, `the test has nothing in place of: ${words}`);
    return commands;
  }
}

/** Text without what a terminal's width makes of its spaces. */
const plain = (text: string) => text.trim().replaceAll(/\s+/g, ' ');

/** Fails unless all lines of `expected` stand in `printed` in that order; `...` in a line stands for anything. */
function assertLines(printed: string, expected: string, where = () => ''): void {
  const lines = printed.split('\n').map(plain);
  let at = 0;
  for (const line of expected.split('\n').map(plain)) {
    const pattern = patternOf(line);
    const found = lines.findIndex((candidate, index) => index >= at && pattern.test(candidate));
    assert.ok(
      line === '' || found >= 0,
      `the page shows: ${line}\nin this it is not, or too early:\n${printed}\n${where()}`,
    );
    if (line !== '') at = found + 1;
  }
}
