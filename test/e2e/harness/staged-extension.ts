/** The extension in a folder of its own with the fake adapter in place of `dist/ringside.js`. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

export const root = join(__dirname, '../..');

/** A request that the fake adapter got, with those of its arguments that tests look at. */
export interface LoggedRequest {
  readonly command: string;
  readonly arguments?: {
    readonly parts?: readonly string[];
    readonly pages?: { readonly cr3?: string; readonly since?: number };
    readonly memoryReference?: string;
    readonly address?: string;
    readonly data?: string;
    readonly stops?: readonly string[];
    readonly on?: boolean;
    readonly threadId?: number;
    readonly frameId?: number;
    readonly how?: string;
    readonly program?: string;
    readonly symbols?: string;
    readonly args?: string;
    readonly initrd?: string;
    readonly memory?: string;
    readonly breakpoints?: readonly { readonly name?: string; readonly condition?: string }[];
  };
}

export interface StagedExtension {
  readonly folder: string;
  /** A folder to be opened, with one kernel in it. */
  readonly workspace: string;
  /** What VS Code runs as tests in the extension host. */
  readonly tests: string;
  /** Where the fake adapter logs its requests. */
  readonly log: string;
  /** The requests of one kind so far. */
  requests(command: string): readonly LoggedRequest[];
  remove(): void;
}

/** Builds it from the sources, so that the whole of dist/ need not be built. */
export function stageExtension(): StagedExtension {
  const base = mkdtempSync(join(tmpdir(), 'ringside-staged-'));
  const [folder, workspace] = [join(base, 'extension'), join(base, 'workspace')];
  mkdirSync(join(folder, 'test/guests'), { recursive: true });
  mkdirSync(workspace);
  for (const file of ['package.json', 'package.nls.json']) cpSync(join(root, file), join(folder, file));
  symlinkSync(join(root, 'media'), join(folder, 'media'));
  symlinkSync(join(root, 'test/guests/sample'), join(folder, 'test/guests/sample'));
  const common = { absWorkingDir: root, bundle: true, logLevel: 'warning' } as const;
  const program = {
    ...common,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    outdir: join(folder, 'dist'),
  } as const;
  buildSync({ ...program, entryPoints: [{ in: 'extension/main.ts', out: 'extension' }], external: ['vscode'] });
  buildSync({ ...program, entryPoints: [{ in: 'test/e2e/fake/adapter.ts', out: 'ringside' }] });
  const tests = join(base, 'tests');
  buildSync({ ...program, entryPoints: ['test/e2e/extension-host/index.ts'], outdir: tests, external: ['vscode'] });
  buildSync({
    ...common,
    entryPoints: readdirSync(join(root, 'media/webviews'))
      .filter((file) => /\.(tsx|css)$/.test(file))
      .map((file) => `media/webviews/${file}`),
    outdir: join(folder, 'dist/webviews'),
    format: 'iife',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  });
  writeFileSync(join(workspace, 'kernel.elf'), kernelHeader(), { mode: 0o755 });
  writeFileSync(
    join(workspace, 'kernel.c'),
    Array.from({ length: 60 }, (_, line) => `int line_${line + 1};\n`).join(''),
  );
  writeFileSync(join(workspace, 'boot.S'), '.globl _start\n_start:\n  hlt\n  jmp _start\n');
  const log = join(base, 'requests');
  return {
    folder,
    workspace,
    tests: join(tests, 'index.js'),
    log,
    requests: (command) =>
      readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line): LoggedRequest => JSON.parse(line))
        .filter((request) => request.command === command),
    remove: () => rmSync(base, { recursive: true, force: true }),
  };
}

/** An x86-64 ELF file of type EXEC without segments. */
export function kernelHeader(): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt16LE(56, 54);
  return header;
}
