/** A guest without symbols: a boot sector, picked by its content, stopped at and debugged in real mode. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { launch, move, runToStop, topFrame, withAdapter } from './driving.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-sector-'));
after(() => rmSync(folder, { recursive: true }));

test('a boot sector stops at 0x7c00 and steps', { skip: noKvm }, () =>
  withAdapter(coreAdapter, async (client) => {
    const sector = Buffer.alloc(512, 0xf4);
    // mov ax, 0x1234; mov bx, ax
    sector.set([0xb8, 0x34, 0x12, 0x89, 0xc3]);
    sector.writeUInt16LE(0xaa55, 510);
    const program = join(folder, 'boot.img');
    writeFileSync(program, sector);
    await launch(client, { program, stopOnEntry: true });
    // VS Code shows a frame without source for this reason alone.
    assert.equal((await runToStop(client)).reason, 'instruction breakpoint');
    assert.equal(BigInt((await topFrame(client)).instructionPointerReference ?? ''), 0x7c00n);
    for (const address of [0x7c03n, 0x7c05n]) {
      await move(client, 'next', { granularity: 'instruction' });
      assert.equal(BigInt((await topFrame(client)).instructionPointerReference ?? ''), address);
    }
  }),
);
