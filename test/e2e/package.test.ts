/** What is in the vsix, and that it is small. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HostReport } from '../../hypervisor-core/protocol/inspect.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { launch, runToStop, topFrame, withAdapter } from '../adapter/driving.ts';
import { noQemu } from '../stubs/qemu.ts';
import { type Packaged, packageExtension } from './harness/package.ts';
import { root } from './harness/staged-extension.ts';

const MAX_BYTES = 6 * 1024 * 1024;

const expected = [
  /^(package\.json|package\.nls\.json|readme\.md|LICENSE\.txt|changelog\.md)$/i,
  /^dist\/(core|vcpu|adapter|ringside|extension|symbol-index)\.js$/,
  /^dist\/webviews\/[a-z-]+\.(js|css)$/,
  /^dist\/(koffi|iced-x86|gecko-profiler-demangle|@koromix\/koffi-linux-x64)\/[^.][^ ]*$/,
  /^media\/(ringside\.svg|icon\.png)$/,
  /^media\/images\/[a-z-]+\.png$/,
  /^media\/docs\/[a-z-]+\.(md|png)$/,
  /^media\/sample\/ringside-sample\.elf$/,
  /^test\/guests\/sample\/([a-z_-]+\.(c|h|S|ld)|Makefile)$/,
];

describe('the vsix', () => {
  let packaged: Packaged;
  let unpacked: string;
  let files: string[];

  before(() => {
    packaged = packageExtension();
    unpacked = unpack(packaged);
    files = filesOf(unpacked);
  });

  after(() => {
    packaged?.remove();
    if (unpacked) rmSync(unpacked, { recursive: true, force: true });
  });

  test('is smaller than 6 MB', () => {
    const { size } = statSync(packaged.vsix);
    assert.ok(size < MAX_BYTES, `${size} bytes`);
  });

  test('holds what is needed and nothing else', () => {
    const stray = files.filter((file) => !expected.some((pattern) => pattern.test(file)));
    assert.deepEqual(stray, []);
    for (const pattern of expected.filter((one) => !one.source.includes('images'))) {
      assert.ok(
        files.some((file) => pattern.test(file)),
        `nothing matches ${pattern} in\n${files.join('\n')}`,
      );
    }
    for (const program of ['core', 'vcpu', 'adapter', 'ringside', 'extension', 'symbol-index']) {
      assert.ok(files.includes(`dist/${program}.js`), program);
    }
  });

  test('holds all sources of the sample guest', () => {
    const sources = readdirSync(join(root, 'test/guests/sample')).filter((name) =>
      /\.(c|h|S|ld)$|^Makefile$/.test(name),
    );
    for (const source of sources) assert.ok(files.includes(`test/guests/sample/${source}`), source);
  });

  test('every file that package.json names is there', () => {
    const manifest = JSON.parse(readFileSync(join(unpacked, 'extension/package.json'), 'utf8'));
    const named = [manifest.main, manifest.icon, ...Object.values(manifest.bin)];
    named.push(...manifest.contributes.views.debug.map((view: { icon: string }) => view.icon));
    for (const { steps } of manifest.contributes.walkthroughs) {
      named.push(...steps.map((step: { media: { markdown: string } }) => step.media.markdown));
    }
    for (const page of files.filter((file) => /^media\/docs\/.*\.md$/.test(file))) {
      const text = readFileSync(join(unpacked, 'extension', page), 'utf8');
      named.push(...[...text.matchAll(/\]\(([a-z-]+\.png)\)/g)].map(([, picture]) => `media/docs/${picture}`));
    }
    for (const file of named) assert.ok(files.includes(file.replace(/^\.\//, '')), file);
  });

  test('the command line says which version it is', () => {
    const { name, version } = JSON.parse(readFileSync(join(unpacked, 'extension/package.json'), 'utf8'));
    const program = join(unpacked, 'extension/dist/ringside.js');
    const { stdout } = spawnSync(process.execPath, [program, '--version'], { encoding: 'utf8' });
    assert.equal(stdout, `${name} ${version}\n`);
  });

  test('the programs in it need no module from outside', () => {
    const run = spawnSync(process.execPath, [join(unpacked, 'extension/dist/ringside.js'), 'doctor', '--json'], {
      cwd: tmpdir(),
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
    const report: HostReport = JSON.parse(run.stdout);
    assert.equal(report.kernel, release(), run.stderr);
    // Without a device it was asked for, all the same.
    if (report.ok) assert.equal(report.apiVersion, 12);
    else assert.equal(report.problem?.id, 'no-device');
  });

  test('is for Linux on x86-64', () => {
    assert.match(readFileSync(join(unpacked, 'extension.vsixmanifest'), 'utf8'), /TargetPlatform="linux-x64"/);
  });
});

describe('the vsix for machines without KVM', () => {
  let packaged: Packaged;
  let unpacked: string;

  before(() => {
    packaged = packageExtension('universal');
    unpacked = unpack(packaged);
  });

  after(() => {
    packaged?.remove();
    if (unpacked) rmSync(unpacked, { recursive: true, force: true });
  });

  test('has neither a native library nor our core, and is for every platform', () => {
    const files = filesOf(unpacked);
    assert.deepEqual(
      files.filter((file) => /koffi|^dist\/(core|vcpu)/.test(file)),
      [],
    );
    assert.ok(files.includes('dist/adapter.js'));
    assert.doesNotMatch(readFileSync(join(unpacked, 'extension.vsixmanifest'), 'utf8'), /TargetPlatform/);
  });

  test('says what it lacks', () => {
    const program = join(unpacked, 'extension/dist/ringside.js');
    const { status, stderr } = spawnSync(process.execPath, [program, 'doctor'], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /^ringside: This package of Ringside has no hypervisor of its own: install the one for Linux/);
  });

  test('runs the sample guest under QEMU', { skip: noQemu }, () =>
    withAdapter(
      () => coreAdapter({ program: join(unpacked, 'extension/dist/ringside.js') }),
      async (client) => {
        await assert.rejects(
          launch(client, { backend: 'kvm' }),
          /"backend": This package of Ringside has no hypervisor/,
        );
        await launch(client, { backend: 'auto' });
        await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'kernel_main' }] });
        assert.equal((await runToStop(client)).reason, 'function breakpoint');
        assert.equal((await topFrame(client)).name, 'kernel_main');
      },
    ),
  );
});

function unpack({ vsix }: Packaged): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-vsix-'));
  const unzip = spawnSync('python3', ['-m', 'zipfile', '-e', vsix, folder], { encoding: 'utf8' });
  assert.equal(unzip.status, 0, unzip.stderr);
  return folder;
}

/** Of the extension alone. */
function filesOf(unpacked: string): string[] {
  const folder = join(unpacked, 'extension');
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return all.filter((file) => statSync(join(folder, file)).isFile());
}
