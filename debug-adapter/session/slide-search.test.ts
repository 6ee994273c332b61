import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { DapClient } from '../cli/dap-client.ts';
import { ElfFile } from '../symbols/elf.ts';
import { areas } from './areas.ts';
import { CannedTarget } from './canned-target.ts';
import { DapServer } from './server.ts';

const program = join(__dirname, '../../media/sample/ringside-sample.elf');
const folder = mkdtempSync(join(tmpdir(), 'ringside-slide-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SLIDE = 0x1240_0000n;
const HANDLER = 0xffff_ffff_8100_1000n;
const FUNCTION = 0xffff_ffff_8100_2000n;
const IDT = 0x5000n;

/** A gate for page faults. Intel SDM 3, 6.14.1. */
function gate(target: bigint): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(Number(target & 0xffffn), 0);
  bytes[5] = 0x8e;
  bytes.writeUInt16LE(Number((target >> 16n) & 0xffffn), 6);
  bytes.writeUInt32LE(Number(target >> 32n), 8);
  return bytes;
}

/** Linux with its own page fault handler in the descriptor table. */
class MovedKernel extends CannedTarget {
  override async systemRegisters() {
    return new Map([['idtr_base', IDT]]);
  }
}

test('the page fault that tells where a kernel was moved to is no stop of the user’s', async () => {
  const symbols = join(folder, 'System.map');
  const line = (address: bigint, name: string) => `${address.toString(16)} T ${name}\n`;
  writeFileSync(symbols, line(HANDLER, 'asm_exc_page_fault') + line(FUNCTION, 'start_kernel'));
  const pageFault = { kind: 'exception', message: '#PF', vectors: [14] } as const;
  const target = new MovedKernel(ElfFile.open(program), [
    { ...pageFault },
    { ...pageFault },
    { kind: 'breakpoint', hardware: false },
  ]);
  const [input, output] = [new PassThrough(), new PassThrough()];
  const server = new DapServer(areas, async () => target);
  server.start(input, output);
  const client = new DapClient(output, input);
  await client.request('initialize', { adapterID: 'kvm' });
  await client.request('launch', { program, symbols });
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'start_kernel' }] });
  // The first fault is taken before the kernel has its own table.
  let reads = 0;
  const { readMemory } = target;
  target.readMemory = async (thread, address, length) => {
    if (address === IDT && ++reads === 2) await target.writeMemory(thread, IDT + 14n * 16n, gate(HANDLER + SLIDE));
    return readMemory.call(target, thread, address, length);
  };
  await client.request('configurationDone');
  const stopped = await client.stopped();
  assert.equal(stopped.description, 'Paused on function breakpoint');
  const { stackFrames } = await client.request('stackTrace', { threadId: 1 });
  assert.equal(stackFrames[0]?.instructionPointerReference, `0x${(FUNCTION + SLIDE).toString(16)}`);
  assert.equal(stackFrames[0]?.name, 'start_kernel');
  await server.close();
});
