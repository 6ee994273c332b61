// The suites of `npm test`: what each needs, and how it is run.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleTests, findTests } from './bundle-tests.mjs';
import { installVscode } from './install-vscode.mjs';
import { root } from './prepare.mjs';
import { collectTests, nodeTestFlags, runBundles } from './test-process.mjs';

const reporter = 'test/setup/event-reporter.mjs';

/** The core tests that must also hold on hardware-like exits; Bochs is slow, so they are chosen. */
const onIntel = /^test\/core\/(breakpoints|stepping|watchpoints)\.test\.ts$/;

/** Those that are known to end there in time; the device, machine and sample-guest tests are still to be brought over. */
const onAmd = /^test\/core\/(boot|breakpoints|command-line|pausing|stepping|user-code|watchpoints)\.test\.ts$/;

/** Each command of package.json's `lint` script is one check. */
function lint() {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const events = scripts.lint.split('&&').map((command) => {
    const started = Date.now();
    const run = spawnSync('sh', ['-c', command], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` },
    });
    const event = { name: command.trim(), milliseconds: Date.now() - started };
    if (run.status === 0) return { ...event, result: 'passed' };
    return { ...event, result: 'failed', error: run.stdout + run.stderr };
  });
  return { events, output: '' };
}

/** Test files below `folders`, run here one after the other. */
const here = (folders, seconds, environment = () => ({})) =>
  async function run() {
    const sources = findTests(folders);
    if (sources.length === 0) return { events: [], output: '', problem: `no test in ${folders.join(', ')}` };
    return runBundles(root, await bundleTests(sources), seconds, environment());
  };

/** Core tests on an emulated host, in a copy of what a user gets: dist/, the sample guest and its sources. */
const onHost = (kind, pattern, seconds) =>
  async function run() {
    const sources = findTests(['test/core']).filter((source) => pattern.test(source));
    if (sources.length === 0) return { events: [], output: '', problem: `no test matches ${pattern}` };
    const bundles = await bundleTests(sources);
    const project = mkdtempSync(join(tmpdir(), 'ringside-project-'));
    try {
      cpSync(join(root, 'dist'), join(project, 'dist'), {
        recursive: true,
        filter: (source) => source !== join(root, 'dist/test'),
      });
      for (const file of ['media/sample', 'test/guests/sample', reporter, ...bundles])
        cpSync(join(root, file), join(project, file), { recursive: true });
      const command = ['node', ...nodeTestFlags(reporter, bundles)].join(' ');
      const host = ['test/hosts/kvm-host.mjs', '-k', kind, '-t', String(seconds), project, command];
      return await collectTests(process.execPath, host, { cwd: root, seconds: seconds + 60 });
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  };

function artifacts() {
  const directory = join(root, 'test/artifacts');
  mkdirSync(directory, { recursive: true });
  return { RINGSIDE_VSCODE_DIR: installVscode(), RINGSIDE_ARTIFACTS: directory };
}

/**
 * In the order they run. `alongside`: may run while others do; `alone`: waits for those.
 * @type {readonly { name: string, needs: readonly string[], run: () => import('./test-process.mjs').SuiteResult |
 *   Promise<import('./test-process.mjs').SuiteResult>, alongside?: boolean, alone?: boolean }[]}
 */
export const suites = [
  { name: 'vmx', needs: ['vmx'], run: onHost('vmx', onIntel, 1500), alongside: true },
  { name: 'lint', needs: [], run: lint },
  { name: 'guests', needs: ['guests'], run: here(['test/guests'], 180) },
  { name: 'unit', needs: ['guests', 'clients'], run: here(['hypervisor-core', 'debug-adapter', 'extension'], 600) },
  { name: 'core', needs: [], run: here(['test/core'], 600) },
  { name: 'adapter', needs: ['clients'], run: here(['test/adapter'], 600) },
  { name: 'clients', needs: ['clients'], run: here(['test/clients'], 300) },
  { name: 'svm', needs: ['svm'], run: onHost('svm', onAmd, 2400) },
  { name: 'e2e', needs: ['vscode'], run: here(['test/e2e'], 900, artifacts), alone: true },
];
