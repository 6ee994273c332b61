/** Values of a stopped guest over DAP, against gdb attached to the same guest at the same moment. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { GdbAnswer } from '../../debug-adapter/expressions/gdb-text.ts';
import { type CoreAdapter, coreAdapter, noKvm } from './core-adapter.ts';
import { stack, stopAt, variablesOf } from './driving.ts';
import { assertAsGdb, gdbValues } from './gdb-beside.ts';
import { SAMPLE } from './sample.ts';

/** Of the innermost frame, `apply`, then of its caller; registers, globals, statics of other files, assembly symbols. */
const EXPRESSIONS: readonly (readonly string[])[] = [
  `operation; rectangle; *rectangle; local; local.x * local.y; area; result; rectangle->size; &rectangle->size.y; *operation
  &local; sizeof local; local.x == rectangle->size.x; rectangle - showcase.rectangles; (long)&local % 4
  $rip; $pc; $rax; $r12; $eax; $al; *(long *)$rsp; $rbx; $cs; (long)$cr3; (int)($cr0 & 1); (int)($efer & 0x100); (long)$rsp
  showcase.flag; showcase.tiny; showcase.octet; showcase.small; showcase.large; showcase.single; showcase.real; showcase.text
  showcase.message; showcase.matrix; showcase.matrix[2]; *showcase.matrix[1]@3; showcase.rectangles; showcase.header; showcase.word
  showcase.header.sequence + 1; showcase.events; showcase.root; *showcase.root; *showcase.root->left->right; showcase.operation
  showcase.opaque; showcase.pointer; *showcase.pointer; **showcase.pointer_to_pointer; showcase.address; (char)showcase.octet
  ticks; main_loop_passes; frames; kernel_pml4; *cpus[0].self->current; idt[14]; idt[14].type; idt[14].present; idt[14].dpl; tasks[0].name; task_list
  hypervisor; interrupt_counts[32] > 0; leaves; branches[1]; &branches[1].left->key; sizeof(struct showcase); sizeof idt / sizeof idt[0]
  (struct tree *)showcase.opaque; ((struct tree *)showcase.opaque)->key; {int}&showcase.matrix[1][2]; GREEN; (enum colour)5
  kernel_main; &kernel_main; *kernel_main; interrupt_dispatch; &hypercall_page; 'showcase.c'::counted; record_event::recorded`,
  'pass; total; index; rectangle; rectangle->colour; total + (int)index; $rip; (long)$rsp; total + 1',
].map((text) => text.split(/;\s*|\n\s*/));

describe('values of a stopped guest are those that gdb shows', { skip: noKvm }, () => {
  let folder: string;
  let adapter: CoreAdapter;
  const answers: Map<string, GdbAnswer>[] = [];
  let frames: readonly { id: number }[];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ringside-values-'));
    const socket = join(folder, 'other-gdb');
    adapter = coreAdapter();
    await adapter.client.request('initialize', { adapterID: 'kvm' });
    await stopAt(adapter.client, 'apply', { gdb: `unix:${socket}` });
    frames = await stack(adapter.client);
    for (const [level, expressions] of EXPRESSIONS.entries())
      answers.push(await gdbValues(SAMPLE, socket, level, expressions));
  });

  after(async () => {
    await adapter.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [level, expressions] of EXPRESSIONS.entries()) {
    for (const expression of expressions) {
      test(`${expression} in frame ${level}`, () =>
        assertAsGdb(adapter.client, frames[level]!.id, expression, answers[level]?.get(expression)));
    }
  }

  // gdb 13 does not take it there.
  for (const [expression, same] of [
    ['(typeof(showcase.root))showcase.opaque', '(struct tree *)showcase.opaque'],
    ['((typeof(*showcase.root) *)showcase.opaque)->key', '((struct tree *)showcase.opaque)->key'],
    ['sizeof(typeof(showcase))', 'sizeof(struct showcase)'],
  ] as const)
    test(`${expression} is what ${same} is`, () =>
      assertAsGdb(adapter.client, frames[0]!.id, expression, answers[0]?.get(same)));

  test('every child of the showcase evaluates to itself', async () => {
    const { client } = adapter;
    const walk = async (expression: string, depth: number): Promise<number> => {
      const { variablesReference } = await client.request('evaluate', { expression, frameId: frames[0]!.id });
      if (variablesReference === 0) return 0;
      const children = await variablesOf(client, variablesReference);
      let count = children.length;
      for (const { name, value, type, evaluateName } of children) {
        assert.ok(evaluateName, `${expression} ${name}`);
        const again = await client.request('evaluate', { expression: evaluateName, frameId: frames[0]!.id });
        assert.deepEqual([again.result, again.type], [value, type], evaluateName);
        if (depth > 0) count += await walk(evaluateName, depth - 1);
      }
      return count;
    };
    assert.ok((await walk('showcase', 2)) > 80);
  });
});
