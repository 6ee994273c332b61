import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { vcpus } from '../../test/e2e/fake/snapshot.ts';
import { VcpuLoads, type VcpuRow } from './vcpu-loads.ts';
import { vcpuColumns, vcpuColumnsFor, vcpuFacts } from './vcpu-rows.ts';

describe('vCPU loads', () => {
  test('are parts of the time that each ran, lately', () => {
    const loads = new VcpuLoads();
    loads.add(vcpus(1000, true));
    loads.add(vcpus(2000, true));
    loads.add(vcpus(2000, false));
    const rows = loads.rows.map((row) => vcpuColumns.map(({ text }) => text(row)));
    assert.deepEqual(rows, [
      ['vCPU 0', 'stopped', 'kernel_main+0x4', 'init (1)', '80 %', '15 %', '0 %', '5 %', '2,000'],
      ['vCPU 1', 'halted', 'cpu_idle+0x8', 'swapper/1 (0)', '2 %', '0 %', '98 %', '0 %', '6.0'],
    ]);
    assert.match(vcpuFacts(loads.rows[0]!).join('\n'), /task,init \(1\)\n(.*\n)*host thread,4711/);
    assert.match(vcpuFacts(loads.rows[1]!).join('\n'), /KVM: halt_exits,12/);
  });

  test('have a column for tasks only where there are some', () => {
    const titles = (rows: readonly VcpuRow[]) => vcpuColumnsFor(rows).map(({ title }) => title);
    const row = { thread: 1, activity: 'stopped' } as const;
    assert.ok(!titles([row]).includes('Task'));
    assert.ok(titles([row, { ...row, task: 'init (1)' }]).includes('Task'));
  });

  test('of a target that keeps no clocks are left open', () => {
    const loads = new VcpuLoads();
    loads.add({ vcpus: [{ thread: 1, activity: 'stopped', rip: '0x10' }] });
    const [row] = loads.rows;
    assert.ok(row);
    assert.deepEqual(
      vcpuColumns.map(({ text }) => text(row)),
      ['vCPU 0', 'stopped', '0x10', '', '', '', '', '', ''],
    );
  });
});
