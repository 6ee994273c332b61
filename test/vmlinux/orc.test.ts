import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDebugInfo } from '../../debug-adapter/symbols/debug-info.ts';
import { OrcTable } from '../../debug-adapter/symbols/orc.ts';
import { openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { randomFrom, sampleFunctions, vmlinux } from './vmlinux.ts';

/** Memory where each word tells its address. */
const read = async (address: bigint, length: number) => {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 8 <= length; at += 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, address + BigInt(at)), at);
  return bytes;
};
const names = 'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');
const registers = new Map(names.map((name, index) => [name, 0xffff_c900_0000_0000n + 0x1_0000n * BigInt(index + 1)]));

test("the kernel's own unwind tables say what the compiler's say, at 4,000 addresses", async () => {
  const symbols = await openSymbols(vmlinux);
  const info = openDebugInfo(vmlinux);
  const orc = OrcTable.of(info.elf, info.addresses);
  assert.ok(orc);
  const random = randomFrom(7);
  let compared = 0;
  const differences: string[] = [];
  for (const { name, address, size } of sampleFunctions(vmlinux, 2000)) {
    for (const pc of [address, address + BigInt(Math.floor(random() * Number(size)))]) {
      const frame = { pc, registers, read };
      const byDwarf = await symbols.unwind(frame);
      const byOrc = await orc.unwind(frame, info.addresses.toDistance(pc));
      if (!byDwarf || !byOrc || byDwarf.interrupted || byOrc.interrupted) continue;
      compared++;
      for (const register of ['rip', 'rsp', 'rbp'])
        if (byDwarf.registers.get(register) !== byOrc.registers.get(register))
          differences.push(
            `${name}+0x${(pc - address).toString(16)}: ${register} ${byOrc.registers.get(register)?.toString(16)} instead of ${byDwarf.registers.get(register)?.toString(16)}`,
          );
    }
  }
  assert.ok(compared > 3000, `${compared} compared`);
  assert.deepEqual(differences, []);
  info.elf.close();
  symbols.close();
});
