import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { checkLaunch, memoryBytes } from './launch-check.ts';

const good = { type: 'kvm', request: 'launch', name: 'x', program: '/kernel' };
const attributes = (configuration: Record<string, unknown>) =>
  checkLaunch(configuration).map((problem) => problem.attribute);

describe('checkLaunch', () => {
  test('takes a configuration with nothing but a program, and one with everything', () => {
    assert.deepEqual(checkLaunch(good), []);
    const all = {
      ...good,
      memory: '1G',
      cpus: 4,
      args: ['console=ttyS0'],
      initrd: '/initrd',
      modules: ['/vmlinuz console=hvc0', '/initramfs'],
      boot: 'flat16@0x8000',
      disk: '/disk.img',
      persist: true,
      framebuffer: '1024x768',
      cpu: { hide: ['smap'], expose: [] },
      stopOnEntry: true,
      symbols: '/symbols',
      sourceMap: { '/build': '/home' },
      gdb: 'tcp:1234',
      personality: 'xen',
      console: 'internalConsole',
    };
    assert.deepEqual(checkLaunch(all), []);
    assert.deepEqual(checkLaunch({ ...good, program: undefined, firmware: '/bios.bin', disk: '/disk.img' }), []);
  });

  test('names the attribute that is wrong', () => {
    const wrong: readonly [string, unknown][] = [
      ['program', undefined],
      ['program', ''],
      ['program', 7],
      ['firmware', 7],
      ['memory', 'lots'],
      ['memory', -1],
      ['memory', '4K'],
      ['memory', null],
      ['cpus', 0],
      ['cpus', 1.5],
      ['cpus', '2'],
      ['args', [1]],
      ['initrd', false],
      ['modules', '/vmlinuz'],
      ['modules', ['/vmlinuz', '']],
      ['boot', 'grub'],
      ['boot', 'linux@0x1000'],
      ['disk', ''],
      ['persist', 'yes'],
      ['framebuffer', 1024],
      ['framebuffer', '1024'],
      ['framebuffer', '63x768'],
      ['framebuffer', '1024x4097'],
      ['framebuffer', '1024x768x32'],
      ['cpu', 'smap'],
      ['cpu', { show: [] }],
      ['cpu', { hide: 'smap' }],
      ['stopOnEntry', 'yes'],
      ['symbols', {}],
      ['sourceMap', []],
      ['sourceMap', { a: 1 }],
      ['gdb', 'localhost'],
      ['gdb', 'tcp:x'],
      ['personality', 'vmware'],
      ['console', 'externalTerminal'],
    ];
    for (const [attribute, value] of wrong) {
      assert.deepEqual(attributes({ ...good, [attribute]: value }), [attribute], `${attribute}: ${String(value)}`);
    }
  });

  test('takes an attach configuration, and names what is wrong with one', () => {
    const attach = { type: 'kvm', request: 'attach', target: 'localhost:1234' };
    assert.deepEqual(checkLaunch(attach), []);
    assert.deepEqual(checkLaunch({ ...attach, target: 'unix:/tmp/gdb', qmp: ':4444', program: '/kernel' }), []);
    assert.deepEqual(attributes({ ...attach, target: undefined }), ['target']);
    assert.deepEqual(attributes({ ...attach, target: '1234', qmp: 'x', program: 3 }), ['target', 'qmp', 'program']);
  });

  for (const request of ['launch', 'attach']) {
    test(`agrees with the schema in package.json on which attributes ${request} has`, () => {
      const manifest = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
      const schema = manifest.contributes.debuggers[0].configurationAttributes[request];
      const properties = Object.entries(schema.properties as Record<string, { default?: unknown }>);
      const broken = Object.fromEntries(properties.map(([name]) => [name, null]));
      assert.deepEqual(attributes({ ...good, ...broken, request }).sort(), properties.map(([name]) => name).sort());
      const defaults = properties
        .filter(([, { default: value }]) => value !== undefined)
        .map(([name, { default: value }]) => [name, value]);
      assert.deepEqual(checkLaunch({ request, ...Object.fromEntries(defaults) }), []);
    });
  }
});

test('memoryBytes reads sizes', () => {
  assert.equal(memoryBytes('256M'), 256 * 1024 * 1024);
  assert.equal(memoryBytes('1 GiB'), 1024 ** 3);
  assert.equal(memoryBytes('2k'), 2048);
  assert.equal(memoryBytes(4096), 4096);
  for (const bad of ['', 'M', '1T', '0', '1.5G', '999999999999999G', 0.5, Number.NaN, null]) {
    assert.equal(memoryBytes(bad), undefined, String(bad));
  }
});
