import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { reportText } from './doctor.ts';
import { parseRunOptions, RUN_USAGE } from './run-options.ts';
import { UsageError } from './usage-error.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-options-'));
const kernel = join(folder, 'kernel.elf');
writeFileSync(kernel, 'kernel');
after(() => rmSync(folder, { recursive: true }));

/** What is to be made anew; throws where a snapshot is to be gone on from. */
function machineOf(args: readonly string[]) {
  const machine = parseRunOptions(args)?.machine;
  assert.ok(machine && 'boot' in machine);
  return machine;
}

describe('the command line of run', () => {
  test('in full', () => {
    const options = parseRunOptions([
      kernel,
      ...['--append', '-s quiet', '--initrd', kernel, '--memory', '1g', '--cpus', '2', '--personality', 'xen'],
      ...['--gdb', 'tcp:1234', '--gdb', 'unix:/tmp/g', '--inspect=unix:/tmp/i', '--wait', '--lifeline'],
      ...['--framebuffer', '1024x768'],
      ...['--disk', '/a,b.img,persist', '--cpu', '-smap,+popcnt,-avx2'],
      ...['--serial2', '/tmp/two', '--serial4=/tmp/four'],
    ]);
    const file = Buffer.from('kernel');
    assert.deepEqual(options, {
      machine: {
        boot: { name: 'kernel.elf', file, commandLine: '-s quiet', initrd: { name: 'kernel.elf', file } },
        memory: 2 ** 30,
        cpus: 2,
        personality: 'xen',
        framebuffer: { width: 1024, height: 768 },
        disk: { path: '/a,b.img', persist: true },
        cpu: { hide: ['smap', 'avx2'], expose: ['popcnt'] },
      },
      gdb: [
        { text: 'tcp:1234', listen: { host: '127.0.0.1', port: 1234 } },
        { text: 'unix:/tmp/g', listen: { path: '/tmp/g' } },
      ],
      inspect: [{ text: 'unix:/tmp/i', listen: { path: '/tmp/i' } }],
      serialFiles: [
        { port: 2, path: '/tmp/two' },
        { port: 4, path: '/tmp/four' },
      ],
      wait: true,
      lifeline: true,
    });
  });

  test('defaults', () => {
    const options = parseRunOptions([kernel]);
    const { memory, cpus, personality } = machineOf([kernel]);
    assert.deepEqual([memory, cpus, personality], [256 * 2 ** 20, 1, undefined]);
    assert.ok(options);
    assert.deepEqual([options.gdb, options.inspect, options.wait, options.lifeline], [[], [], false, false]);
  });

  test('says how to boot, and with which modules', () => {
    const { boot } = machineOf([kernel, '--boot', 'flat32@0x200000', '--module', `${kernel} root=/dev/vda`]);
    const modules = [{ commandLine: 'kernel.elf root=/dev/vda', file: Buffer.from('kernel') }];
    const file = Buffer.from('kernel');
    const expected = { protocol: 'flat32', address: 0x20_0000n, name: 'kernel.elf', file, commandLine: '', modules };
    assert.deepEqual(boot, expected);
    assert.equal('protocol' in machineOf([kernel, '--boot=auto']).boot, false);
  });

  test('goes on from a snapshot, which says all about the machine', () => {
    assert.deepEqual(parseRunOptions(['--restore', 'x', '--wait'])?.machine, { restore: 'x' });
    assert.deepEqual(parseRunOptions(['--restore', 'x', '--disk', 'y'])?.machine, {
      restore: 'x',
      disk: { path: 'y', persist: false },
    });
    assert.throws(() => parseRunOptions(['--restore', 'x', '--cpus', '2']), /--restore and --cpus do not go together/);
    assert.throws(() => parseRunOptions(['--restore', 'x', kernel]), /--restore takes no kernel/);
  });

  test('starts with firmware, which boots the disk', () => {
    const bios = join(folder, 'bios.bin');
    const image = Buffer.alloc(65_536, 1);
    writeFileSync(bios, image);
    const machine = machineOf(['--firmware', bios, '--disk', 'y']);
    assert.deepEqual(machine.boot, { protocol: 'firmware', name: 'bios.bin', file: image, commandLine: '' });
    assert.deepEqual(machine.disk, { path: 'y', persist: false });
    assert.equal(parseRunOptions(['--firmware', bios, '--firmware-log', '/tmp/log'])?.firmwareLog, '/tmp/log');
    assert.throws(() => parseRunOptions(['--firmware', bios, kernel]), /--firmware takes no kernel/);
    assert.throws(() => parseRunOptions(['--firmware', bios, '--append', 'x']), /--firmware and --append do not go/);
    assert.throws(() => parseRunOptions(['--firmware', kernel]), /--firmware: .*kernel\.elf has 6 bytes; .* 64 KiB/);
    assert.throws(() => parseRunOptions(['--firmware', '/no/such']), /--firmware: cannot read \/no\/such: there is no/);
    writeFileSync(bios, Buffer.alloc((16 << 20) + 65_536));
    assert.throws(() => parseRunOptions(['--firmware', bios]), /--firmware: .*; there is room for 16 MiB/);
  });

  test('help is no error, and lists every option', () => {
    assert.equal(parseRunOptions(['--help']), undefined);
    for (const option of [
      'append',
      'initrd',
      'module',
      'boot',
      'firmware',
      'firmware-log',
      'memory',
      'cpus',
      'framebuffer',
      'cpu',
      'disk',
      'personality',
      'gdb',
      'inspect',
      'restore',
      'wait',
      'lifeline',
    ]) {
      assert.match(RUN_USAGE, new RegExp(`^ {2}--${option}\\b`, 'm'));
    }
  });

  test('what cannot be followed names the option and what it may be', () => {
    const refused = (words: RegExp, ...args: readonly string[]) =>
      assert.throws(
        () => parseRunOptions(args),
        (error: unknown) => error instanceof UsageError && words.test(error.message),
        args.join(' '),
      );
    refused(/which kernel\?/);
    refused(/Unknown option '--memry'/, kernel, '--memry', '1G');
    refused(/Option '--memory <value>' argument missing/, kernel, '--memory');
    refused(/--memory must be a size such as 256M or 1G, not "lots"/, kernel, '--memory', 'lots');
    refused(/--memory 900T: this machine has \d+ MiB/, kernel, '--memory', '900T');
    refused(/--cpus must be a number/, kernel, '--cpus', 'two');
    for (const size of ['1024', '1024x', '63x64', '64x4097', '0x10x10', '1024 x 768', '1024x768x24']) {
      refused(/--framebuffer must be WIDTHxHEIGHT .* 64 to 4096, such as 1024x768/, kernel, '--framebuffer', size);
    }
    refused(/--personality must be one of none, kvm, xen, hyperv/, kernel, '--personality', 'esxi');
    refused(/--cpu: "smap" must begin with -/, kernel, '--cpu', 'smap');
    refused(/--cpu: "simd" is no processor feature/, kernel, '--cpu', '-simd');
    refused(/--boot must be one of auto, elf32, .*; not "grub"/, kernel, '--boot', 'grub');
    refused(/--boot must be one of/, kernel, '--boot', 'multiboot1@0x1000');
    refused(/--module: cannot read .*nowhere/, kernel, '--module', `${join(folder, 'nowhere')} words`);
    refused(/--gdb must be unix:PATH/, kernel, '--gdb', '1234');
    refused(/one kernel at a time/, kernel, 'another');
    refused(/cannot read .*nowhere: there is no such file/, join(folder, 'nowhere'));
    refused(/cannot read .*: it is a folder/, folder);
    refused(/--initrd: cannot read .*nowhere: there is no such file/, kernel, '--initrd', join(folder, 'nowhere'));
  });
});

test('a host report in words says what is missing and what to do', () => {
  const report = { ok: false, module: 'unknown', kernel: '6.1', apiVersion: 0, trap: 'none', facts: [] } as const;
  const problem = { id: 'no-device', message: 'There is no /dev/kvm.', remedy: 'Load the module.' } as const;
  assert.match(
    reportText({ ...report, problem }),
    /Guests cannot run here\. There is no \/dev\/kvm\.\nLoad the module\.\n$/,
  );
  const facts = [{ id: 'x', question: 'Does it step?', answer: 'no', consequence: 'It jumps.' }];
  assert.match(reportText({ ...report, ok: true, facts }), /^no {2}Does it step\?\n {4}It jumps\.$/m);
});
