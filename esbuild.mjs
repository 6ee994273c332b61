// Builds dist/, which runs by itself: bundles, and beside them the packages that cannot be bundled whole (koffi's native
// library, the wasm of iced-x86 and gecko-profiler-demangle). `node esbuild.mjs` builds once; `--watch` keeps building; `--minify` is for releases.
// With RINGSIDE_CORE=none in the environment it is without our own core, for machines that have no KVM.
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, context } from 'esbuild';

const withCore = process.env.RINGSIDE_CORE !== 'none';
const flags = new Set(process.argv.slice(2));
const root = fileURLToPath(new URL('.', import.meta.url));

/** Packages that ship a binary and so cannot be bundled: bundles load them from their copy in dist/. */
const besideBundle = {
  koffi: 'koffi/src/koffi/indirect.cjs',
  'iced-x86': 'iced-x86/iced_x86.js',
};

export const loadBesideBundle = {
  name: 'load-beside-bundle',
  setup(setup) {
    const up = depth(setup.initialOptions.outdir);
    for (const [name, file] of Object.entries(besideBundle)) {
      setup.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: up + file, external: true }));
    }
  },
};

/** `./` for dist, `../` for dist/test: the way from a bundle to dist. All bundles of one build are in one folder. */
const depth = (outdir) => '../'.repeat(outdir.split('dist')[1].split('/').filter(Boolean).length) || './';

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: true,
  minify: flags.has('--minify'),
  logLevel: 'warning',
};

/** Output file: source. The command line loads core.js and adapter.js from beside it when it needs them. */
const programs = {
  ...(withCore && { core: 'hypervisor-core/cli/core.ts', vcpu: 'hypervisor-core/machine/vcpu-worker.ts' }),
  adapter: 'debug-adapter/cli/adapter.ts',
  'symbol-index': 'debug-adapter/symbols/index/worker.ts',
  ringside: 'debug-adapter/cli/ringside.ts',
  extension: 'extension/main.ts',
};

const node = {
  ...common,
  outdir: 'dist',
  entryPoints: Object.entries(programs)
    .filter(([, source]) => existsSync(`${root}${source}`))
    .map(([out, source]) => ({ in: source, out })),
  external: ['vscode'],
  plugins: [loadBesideBundle],
};

/** Pages that run in VS Code's webviews: a script and a style sheet of one name each. */
const webviews = {
  ...common,
  outdir: 'dist/webviews',
  entryPoints: readdirSync(`${root}media/webviews`)
    .filter((file) => /\.(tsx|css)$/.test(file))
    .map((file) => `media/webviews/${file}`),
  platform: 'browser',
  target: 'es2022',
  format: 'iife',
  jsx: 'automatic',
  jsxImportSource: 'preact',
};

/** What only our own core needs. */
const CORE_FILES = ['core.js', 'core.js.map', 'vcpu.js', 'vcpu.js.map', 'koffi', '@koromix'];

function copyKoffi(copy) {
  for (const file of ['package.json', 'LICENSE.txt', 'src/koffi/indirect.cjs']) copy(`koffi/${file}`, `koffi/${file}`);
  copy('@koromix/koffi-linux-x64', '@koromix/koffi-linux-x64');
  rmSync(`${root}dist/@koromix/koffi-linux-x64/musl_x64`, { recursive: true, force: true });
}

function copyBeside() {
  mkdirSync(`${root}dist`, { recursive: true });
  const copy = (from, to) => cpSync(`${root}node_modules/${from}`, `${root}dist/${to}`, { recursive: true });
  if (withCore) copyKoffi(copy);
  else for (const name of CORE_FILES) rmSync(`${root}dist/${name}`, { recursive: true, force: true });
  for (const file of ['package.json', 'LICENSE.txt', 'iced_x86.js', 'iced_x86_bg.wasm']) {
    copy(`iced-x86/${file}`, `iced-x86/${file}`);
  }
  for (const file of ['LICENSE-MIT', 'index_bg.wasm'])
    copy(`gecko-profiler-demangle/${file}`, `gecko-profiler-demangle/${file}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  copyBeside();
  for (const bundles of [node, webviews]) {
    if (flags.has('--watch')) await (await context(bundles)).watch();
    else await build(bundles);
  }
  // `bin` of package.json: run by its name in a clone.
  if (existsSync(`${root}dist/ringside.js`)) chmodSync(`${root}dist/ringside.js`, 0o755);
}
