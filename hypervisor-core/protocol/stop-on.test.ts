import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatStopOn, parseStopOn, type StopOn } from './stop-on.ts';

test('a line reads as what it is written as', () => {
  const lines: readonly [string, StopOn][] = [
    ['port 0x3f8-0x3ff write', { kind: 'port', first: 0x3f8, last: 0x3ff, access: 'write' }],
    ['mmio 0xfed00000', { kind: 'mmio', first: '0xfed00000', last: '0xfed00000', access: 'any' }],
    ['msr 0x1b read', { kind: 'msr', index: 0x1b, access: 'read' }],
    ['exception 14', { kind: 'exception', vector: 14 }],
    ['exit rdmsr', { kind: 'exit', reason: 'rdmsr' }],
    ['triple-fault', { kind: 'triple-fault' }],
    ['cr3', { kind: 'control-register', name: 'cr3' }],
    ['hypercall', { kind: 'hypercall' }],
    ['hypercall hyperv', { kind: 'hypercall', abi: 'hyperv' }],
    ['hypercall 0x11', { kind: 'hypercall', number: '0x11' }],
    ['hypercall xen 0x11', { kind: 'hypercall', abi: 'xen', number: '0x11' }],
  ];
  for (const [line, stop] of lines) {
    assert.deepEqual(parseStopOn(line), stop);
    assert.equal(formatStopOn(stop), line);
  }
  assert.deepEqual(parseStopOn(' Hypercall Xen 17 '), parseStopOn('hypercall xen 0x11'));
});
