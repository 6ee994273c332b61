import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SymbolIndex } from '../symbols/api.ts';
import { placesOf } from './breakpoint-places.ts';
import type { SourcePaths } from './source-paths.ts';

const kernelWith = (...names: readonly string[]) =>
  ({
    pastTracer: (address: bigint) => address,
    symbolsNamed: (name: string) => (names.includes(name) ? [{ name, address: BigInt(names.indexOf(name) + 1) }] : []),
  }) as unknown as SymbolIndex;

const crash = async (filter: string, symbols: SymbolIndex) => {
  const { places, message } = await placesOf({ kind: 'crash', filter }, { symbols, sources: {} as SourcePaths });
  return message ?? places.map(({ address }) => address);
};

test('Linux is stopped at what it complains of where it has the functions for that', async () => {
  const kernel = kernelWith('init_task', 'rcu_check_gp_kthread_starvation', 'sched_show_task');
  assert.deepEqual(await crash('linux-rcu-stall', kernel), [2n]);
  assert.equal(await crash('linux-lockup', kernel), 'This kernel has no add_taint.');
  assert.equal(await crash('linux-oops', kernel), 'This kernel has no __die or die_addr.');
  assert.equal(await crash('linux-panic', kernelWith('panic')), 'No Linux with known symbols runs here.');
});

test('a kernel that looks for no hung tasks stops at none', async () => {
  const looks = 'sysctl_hung_task_timeout_secs';
  assert.equal(
    await crash('linux-hung-task', kernelWith('init_task', 'sched_show_task')),
    `This kernel has no ${looks}.`,
  );
  assert.deepEqual(await crash('linux-hung-task', kernelWith('init_task', 'sched_show_task', looks)), [2n]);
});
