// Bundles test files (TypeScript) into dist/test/, one self-contained file each, so that the same file runs here under
// `node --test` and on a test host that has only node and a copy of dist/.
//   node test/setup/bundle-tests.mjs [--run] [WORD ...]   only files whose path contains one of the words
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { loadBesideBundle } from '../../esbuild.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Paths of all `*.test.ts` below the folders, relative to the root. */
export function findTests(folders) {
  return folders.flatMap((folder) =>
    readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => `${folder}/${file}`),
  );
}

/** Bundles the tests and returns the bundles' paths, `dist/test/` and the source's path with dashes for slashes. */
export async function bundleTests(sources) {
  const name = (source) => source.replace(/\.ts$/, '').replaceAll('/', '-');
  await build({
    absWorkingDir: root,
    entryPoints: sources.map((source) => ({ in: source, out: name(source) })),
    outdir: 'dist/test',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap: 'inline',
    logLevel: 'warning',
    external: ['vscode', 'esbuild', 'playwright-core'],
    plugins: [loadBesideBundle],
  });
  return sources.map((source) => `dist/test/${name(source)}.js`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const wanted = findTests(['hypervisor-core', 'debug-adapter', 'extension', 'test']).filter(
    (file) => words.length === 0 || words.some((word) => file.includes(word)),
  );
  // Without a file, node would look for tests itself, and find `npm test`.
  if (wanted.length === 0) {
    console.error(`no test's path contains ${words.join(' or ')}`);
    process.exit(1);
  }
  const bundles = await bundleTests(wanted);
  if (process.argv.includes('--run')) {
    const run = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...bundles], {
      cwd: root,
      stdio: 'inherit',
    });
    process.exitCode = run.status ?? 1;
  }
}
