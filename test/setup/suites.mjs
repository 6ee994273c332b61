// The suites of `npm test`: what each needs, and how it is run.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxGuest, smallLinuxGuest } from '../guests/linux/guest.mjs';
import { domainDebugInfo, xenGuest } from '../guests/xen/guest.mjs';
import { makeInitramfs } from '../hosts/initramfs.mjs';
import { debianKernel, debianVmlinux } from '../hosts/kernel.mjs';
import { serveBrowser } from './browser.mjs';
import { bundleTests, findTests } from './bundle-tests.mjs';
import { freePort } from './free-port.mjs';
import { installVscode } from './install-vscode.mjs';
import { root } from './prepare.mjs';
import { collectTests, nodeTestFlags, runBundles } from './test-process.mjs';

const reporter = 'test/setup/event-reporter.mjs';

/** Why tests do not run on this machine's KVM; undefined where they do. Else they run on the emulated AMD host, with this machine's files. */
const noKvm = (() => {
  if (process.env.RINGSIDE_NO_KVM) return 'RINGSIDE_NO_KVM is set';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return 'no usable /dev/kvm here';
  }
})();

/** Why distributions' kernels do not boot on this machine's KVM; undefined where they do. */
const noDistribution = noKvm ?? interpretedSupervisor();

function interpretedSupervisor() {
  const { stdout } = spawnSync(process.execPath, ['dist/ringside.js', 'doctor', '--json'], {
    cwd: root,
    encoding: 'utf8',
  });
  const { answer } = JSON.parse(stdout).facts.find(({ id }) => id === 'emulated-supervisor') ?? {};
  return answer === 'yes'
    ? 'KVM here interprets supervisor code, and lacks instructions of Debian’s kernel'
    : undefined;
}

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
const here = (folders, seconds) =>
  async function run() {
    return runBundles(root, await bundleTests(findTests(folders)), seconds);
  };

/** What kvm-host ends with when the emulated machine's own kernel went down. */
const hostDown = 125;

/**
 * Runs `command`, which runs tests, on an emulated host. `flags` are kvm-host's. A machine that went down itself says nothing
 * about the tests: that is said, and they have one more.
 */
async function emulated(kind, seconds, directory, command, flags = []) {
  const run = () =>
    collectTests(
      process.execPath,
      ['test/hosts/kvm-host.mjs', '-k', kind, '-t', String(seconds), ...flags, directory, command],
      { cwd: root, seconds: seconds + 60 },
    );
  const first = await run();
  if (first.status !== hostDown) return first;
  const words = first.output.split('\n').find((line) => /^the .* machine /.test(line)) ?? 'the machine went down';
  console.log(`    ${kind}: ${words.slice(0, 100)}; on another one`);
  return run();
}

/** The shell line that runs `command` with these variables set. */
const withEnvironment = (environment, command) =>
  [...Object.entries(environment).map(([name, value]) => `${name}='${value}'`), command].join(' ');

const nodeCommand = (bundles) => ['node', ...nodeTestFlags(reporter, bundles)].join(' ');

/** Test files below `folders`, on the emulated AMD host, which sees the files of this checkout. */
const onAmd = (folders, seconds) =>
  async function run() {
    const bundles = await bundleTests(findTests(folders));
    return emulated('svm', seconds, root, nodeCommand(bundles), ['-m', '4096']);
  };

/** Core tests on the emulated Intel host, in a copy of what a user gets: dist/, the sample guest and its sources. */
const onIntel = (pattern, seconds) =>
  async function run() {
    const bundles = await bundleTests(findTests(['test/core']).filter((source) => pattern.test(source)));
    const project = mkdtempSync(join(tmpdir(), 'ringside-project-'));
    try {
      cpSync(join(root, 'dist'), join(project, 'dist'), {
        recursive: true,
        filter: (source) => source !== join(root, 'dist/test'),
      });
      for (const file of ['media/sample', 'test/guests/sample', reporter, ...bundles])
        cpSync(join(root, file), join(project, file), { recursive: true });
      return await emulated('vmx', seconds, project, nodeCommand(bundles));
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  };

const ownKernel = {
  metaPackage: 'linux-image-cloud-amd64',
  loaded: ['irqbypass', 'kvm'],
  underDisk: ['virtio_ring', 'virtio'],
};

/**
 * Debian's kernels that are looked into: this release's own, a newer one, and one of an older release. `loaded`: modules that
 * are loaded at the start; `underDisk`: those that virtio_blk needs, in order, where they are not built in; `crashReads`:
 * what this release's crash(8) can read of it, in QEMU's own dumps as well.
 */
const kernels = {
  older: { ...ownKernel, release: 'bullseye', crashReads: 'log tasks' },
  release: { ...ownKernel, crashReads: 'log' },
  newer: { metaPackage: 'linux-image-6.12-cloud-amd64', loaded: ['irqbypass', 'kvm'], underDisk: [], crashReads: '' },
};

/** Takes as long as all else that is asked of a kernel's symbols. */
const isOfBtf = (source) => source.endsWith('/btf.test.ts');

/** Symbols of a kernel of Debian's, beside those of other readers of the same file. */
const onVmlinux = ({ metaPackage, release }, isWanted = () => true) =>
  async function run() {
    const { vmlinux, module } = debianVmlinux(metaPackage, release);
    const bundles = await bundleTests(findTests(['test/vmlinux']).filter(isWanted));
    return runBundles(root, bundles, 1200, { RINGSIDE_VMLINUX: vmlinux, RINGSIDE_MODULE: module });
  };

/** Test files below `folders` with what `guest` makes for them, here or on the emulated AMD host. */
const withGuest = (folders, guest) => ({
  here: async (environment = {}) =>
    runBundles(root, await bundleTests(findTests(folders)), 600, { ...guest(), ...environment }),
  onAmd: async () => {
    const command = withEnvironment(guest(), nodeCommand(await bundleTests(findTests(folders))));
    return emulated('svm', 1500, root, command, ['-m', '4096']);
  },
});

const linux = withGuest(['test/linux'], linuxGuest);
const xen = withGuest(['test/xen'], xenGuest);

/** The small Linux, built when it is first asked for. */
let smallLinux;
const makeSmallLinux = () => {
  smallLinux ??= smallLinuxGuest();
  return smallLinux;
};

const toUserspace = (source) => /\/(userspace|soak)\.test\.ts$/.test(source);

/** The small Linux to userspace, which needs all of a KVM, or as far as any KVM takes it. */
const smallLinuxTests = (userspace) =>
  bundleTests(findTests(['test/small-linux']).filter((source) => toUserspace(source) === userspace));

/** A suite with the small Linux, which is built while the suites before it run; `bundles` makes its tests. */
const onSmallLinux = (name, bundles, obstacle, { seconds = 900, environment = {} } = {}) => ({
  ...onKvm(
    name,
    ['linux', 'clients', 'small', 'vmlinux'],
    async () => runBundles(root, await bundles(), seconds, { ...(await makeSmallLinux()), ...environment }),
    async () => {
      const command = withEnvironment({ ...(await makeSmallLinux()), ...environment }, nodeCommand(await bundles()));
      return emulated('svm', 2 * seconds, root, command, ['-m', '4096']);
    },
    obstacle,
  ),
  prepare: makeSmallLinux,
});

/** What `npm run soak` runs, by its guest: as a suite is. */
export const soaks = {
  sample: (seconds, environment) => ({
    needs: [],
    run: async () => runBundles(root, await bundleTests(['test/adapter/soak.test.ts']), seconds, environment),
  }),
  linux: (seconds, environment) =>
    onSmallLinux('soak', () => bundleTests(['test/small-linux/soak.test.ts']), noDistribution, {
      seconds,
      environment,
    }),
};

/** Names, addresses and lines of the small Linux, as of Debian's kernel. */
async function smallSymbols() {
  const { RINGSIDE_SMALL_VMLINUX } = await makeSmallLinux();
  const bundles = await bundleTests(['test/vmlinux/functions.test.ts', 'test/vmlinux/code.test.ts']);
  return runBundles(root, bundles, 600, { RINGSIDE_VMLINUX: RINGSIDE_SMALL_VMLINUX });
}

/** A kernel of Debian's boots under QEMU with a small root and two of its modules, and is then looked into. */
const inLinux = ({ metaPackage, release, loaded, underDisk, crashReads }) =>
  async function run() {
    const { vmlinux, module } = debianVmlinux(metaPackage, release);
    const { kernel, modules } = debianKernel(metaPackage, [...loaded, ...underDisk], release);
    const scratch = mkdtempSync(join(tmpdir(), 'ringside-linux-'));
    try {
      const atStart = modules.slice(0, loaded.length);
      const initramfs = makeInitramfs({ scratch, modules: atStart, patience: 1, root: sleepyRoot });
      const bundles = await bundleTests(findTests(['test/in-linux']));
      return await runBundles(root, bundles, 600, {
        RINGSIDE_VMLINUX: vmlinux,
        RINGSIDE_VMLINUZ: kernel,
        RINGSIDE_INITRAMFS: initramfs,
        RINGSIDE_MODULES: [...modules.slice(loaded.length), module].join(' '),
        RINGSIDE_CRASH_READS: crashReads,
      });
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  };

/** A root in which a few programs sleep, one as its pipe is full, and a shell listens on the console. The kernel hands `crash=` on as a variable. */
const sleepyRoot = {
  addTo: () => undefined,
  enter: 'sleep 10001 & sleep 10002 & cat /dev/zero | sleep 10003 &',
  command: `until [ "$(ps | grep -c '[s]leep 1000')" = 3 ] && grep -q "State:.S" "/proc/$(pidof cat)/status"; do true; done
echo ready for the debugger; [ "$crash" ] && echo "$crash" >/proc/sysrq-trigger; sh -c 'sh </dev/console'`,
};

const artifacts = join(root, 'test/artifacts');

/** The tests that debug a real guest; the others have an adapter with canned answers. */
const story = ['test/e2e/debugging.test.ts'];
/** Tests of a real guest on our own core alone. */
const kvmStory = [...story, 'test/e2e/source-debugging.test.ts', 'test/e2e/screen.test.ts', 'test/e2e/vcpus.test.ts'];
const treeStory = ['test/e2e/kernel-tree.test.ts'];

const cannedTests = () => findTests(['test/e2e']).filter((source) => ![...kvmStory, ...treeStory].includes(source));

/** Runs tests in the real VS Code. `guest` gives what they need to know, as an environment. */
const endToEndHere =
  (sources, guest = () => ({})) =>
  async () => {
    mkdirSync(artifacts, { recursive: true });
    const places = { RINGSIDE_VSCODE_DIR: installVscode(), RINGSIDE_ARTIFACTS: artifacts };
    return runBundles(root, await bundleTests(sources), 900, { ...places, ...(await guest()) });
  };

/** VS Code's server, the tests and KVM are on the emulated host; the browser, which is the window, stays here. */
const endToEndOnAmd =
  (sources, guest = () => ({})) =>
  async () => {
    mkdirSync(artifacts, { recursive: true });
    const vscode = installVscode();
    const bundles = await bundleTests(sources);
    const browser = await serveBrowser();
    try {
      const port = await freePort();
      const environment = {
        RINGSIDE_VSCODE_DIR: vscode,
        RINGSIDE_ARTIFACTS: artifacts,
        RINGSIDE_BROWSER: browser.endpoint,
        RINGSIDE_SERVER_PORT: port,
        ...(await guest()),
      };
      const command = withEnvironment(environment, nodeCommand(bundles));
      return await emulated('svm', 2400, root, command, ['-m', '6144', '-w', artifacts, '-p', String(port)]);
    } finally {
      await browser.close();
    }
  };

/** A suite that needs KVM: `here`, or on the emulated AMD host where there is an obstacle. */
const onKvm = (name, purposes, here, amd, obstacle = noKvm) =>
  obstacle
    ? { name, needs: [...purposes, 'svm'], run: amd, note: `${obstacle}: on an emulated AMD host` }
    : { name, needs: purposes, run: here };

/**
 * In the order they run. `alongside`: may run while others do; `alone`: waits for those; `prepare`: what takes long before
 * it can run, begun at once; `note` is said with the result.
 * @type {readonly { name: string, needs: readonly string[], run: () => import('./test-process.mjs').SuiteResult |
 *   Promise<import('./test-process.mjs').SuiteResult>, alongside?: boolean, alone?: boolean, note?: string,
 *   prepare?: () => Promise<unknown> }[]}
 */
export const suites = [
  {
    name: 'vmx',
    needs: ['vmx'],
    run: onIntel(/^test\/core\/(breakpoints|stepping|watchpoints)\./, 1500),
    alongside: true,
  },
  { name: 'lint', needs: [], run: lint },
  onKvm('guests', ['guests'], here(['test/guests'], 180), onAmd(['test/guests'], 900)),
  {
    name: 'unit',
    needs: ['guests', 'clients', 'unit'],
    run: here(['hypervisor-core', 'debug-adapter', 'extension'], 600),
  },
  { name: 'vmlinux', needs: ['vmlinux'], run: onVmlinux(kernels.release) },
  { name: 'vmlinux-6.12', needs: ['vmlinux'], run: onVmlinux(kernels.newer, (source) => !isOfBtf(source)) },
  { name: 'vmlinux-5.10', needs: ['vmlinux'], run: onVmlinux(kernels.older, (source) => !isOfBtf(source)) },
  { name: 'in-linux', needs: ['vmlinux', 'clients', 'svm', 'linux'], run: inLinux(kernels.release) },
  { name: 'in-linux-6.12', needs: ['vmlinux', 'clients', 'svm', 'linux'], run: inLinux(kernels.newer) },
  { name: 'in-linux-5.10', needs: ['vmlinux', 'clients', 'svm', 'linux'], run: inLinux(kernels.older) },
  onKvm('core', [], here(['test/core'], 600), onAmd(['test/core'], 1800)),
  onKvm('linux', ['linux', 'vmlinux'], linux.here, linux.onAmd, noDistribution),
  onKvm('xen', ['xen'], xen.here, xen.onAmd, noDistribution),
  { name: 'xen-qemu', needs: ['xen'], run: () => xen.here({ RINGSIDE_BACKEND: 'qemu', ...domainDebugInfo() }) },
  { name: 'stubs', needs: ['clients'], run: here(['test/stubs'], 1200) },
  onKvm('adapter', ['clients', 'guests', 'unit'], here(['test/adapter'], 600), onAmd(['test/adapter'], 3600)),
  onKvm('clients', ['clients'], here(['test/clients'], 300), onAmd(['test/clients'], 900)),
  // Where KVM is not here, `core` has run there already.
  ...(noKvm ? [] : [{ name: 'svm', needs: ['svm'], run: onAmd(['test/core'], 1800) }]),
  onSmallLinux('small-linux', () => smallLinuxTests(true), noDistribution),
  onSmallLinux('small-start', () => smallLinuxTests(false), noKvm),
  onSmallLinux('guides', () => bundleTests(findTests(['test/guides'])), noKvm),
  { name: 'small-symbols', needs: ['linux', 'small', 'vmlinux'], run: smallSymbols, prepare: makeSmallLinux },
  { name: 'e2e', needs: ['vscode', 'clients'], run: endToEndHere(cannedTests()), alone: true },
  {
    name: 'story-qemu',
    needs: ['vscode', 'clients'],
    run: endToEndHere(story, () => ({ RINGSIDE_BACKEND: 'qemu' })),
    alone: true,
  },
  { ...onKvm('story', ['vscode', 'clients'], endToEndHere(kvmStory), endToEndOnAmd(kvmStory)), alone: true },
  {
    ...onKvm(
      'story-linux',
      ['vscode', 'linux', 'small'],
      endToEndHere(treeStory, makeSmallLinux),
      endToEndOnAmd(treeStory, makeSmallLinux),
    ),
    prepare: makeSmallLinux,
    alone: true,
  },
];
