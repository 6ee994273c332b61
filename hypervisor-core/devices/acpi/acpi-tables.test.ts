import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ACPI_TABLES, acpiTables } from './acpi-tables.ts';
import { acpiFiles } from './table-loader.ts';

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

/** Every table that the RSDP leads to, by signature; `block`, which lies at `base`, begins with it unless it is given. */
function tablesOf(block: Buffer, base = ACPI_TABLES, root = block): Map<string, Buffer> {
  const at = (address: number) => {
    const start = address - base;
    return block.subarray(start, start + block.readUInt32LE(start + 4));
  };
  const found = new Map<string, Buffer>();
  const add = (table: Buffer) => found.set(table.toString('latin1', 0, 4), table);
  const rsdt = at(root.readUInt32LE(16));
  const xsdt = at(Number(root.readBigUInt64LE(24)));
  add(rsdt);
  add(xsdt);
  for (let entry = 36; entry < xsdt.length; entry += 8) add(at(Number(xsdt.readBigUInt64LE(entry))));
  const fadt = found.get('FACP')!;
  add(at(fadt.readUInt32LE(40)));
  add(at(fadt.readUInt32LE(36)));
  return found;
}

describe('ACPI tables', () => {
  const block = Buffer.from(acpiTables(3));
  const tables = tablesOf(block);

  test('the RSDP leads to all of them, by both ways, and all sums are zero', () => {
    assert.equal(block.toString('latin1', 0, 8), 'RSD PTR ');
    assert.deepEqual([sum(block.subarray(0, 20)), sum(block.subarray(0, 36))], [0, 0]);
    assert.deepEqual([...tables.keys()].sort(), ['APIC', 'DSDT', 'FACP', 'FACS', 'RSDT', 'XSDT']);
    for (const [name, table] of tables) if (name !== 'FACS') assert.equal(sum(table), 0, name);
    const [rsdt, xsdt] = [tables.get('RSDT')!, tables.get('XSDT')!];
    assert.equal((rsdt.length - 36) / 4, (xsdt.length - 36) / 8);
    assert.equal(BigInt(rsdt.readUInt32LE(36)), xsdt.readBigUInt64LE(36));
  });

  test('the FACS is aligned, and the FADT’s two pointers agree', () => {
    const fadt = tables.get('FACP')!;
    assert.equal(fadt.readUInt32LE(36) % 64, 0);
    assert.equal(BigInt(fadt.readUInt32LE(36)), fadt.readBigUInt64LE(132));
    assert.equal(BigInt(fadt.readUInt32LE(40)), fadt.readBigUInt64LE(140));
  });

  test('64 processors fit below 0xf0000', () => {
    assert.ok(acpiTables(64).length < 0x10000);
  });

  test('firmware that follows the list with them has the same tables elsewhere', () => {
    const PLACES: Readonly<Record<string, number>> = { 'etc/acpi/rsdp': 0xf_5a40, 'etc/acpi/tables': 0x3ff_d000 };
    const files = new Map(acpiFiles(3).map(({ name, bytes }) => [name, Buffer.from(bytes)]));
    const script = files.get('etc/table-loader')!;
    const allocated: string[] = [];
    for (let at = 0; at < script.length; at += 128) {
      const name = (offset: number) => script.toString('latin1', at + offset, script.indexOf(0, at + offset));
      const word = (offset: number) => script.readUInt32LE(at + offset);
      const file = files.get(name(4))!;
      if (word(0) === 1) {
        assert.equal(PLACES[name(4)]! % word(60), 0, 'alignment');
        assert.equal(script[at + 64], name(4) === 'etc/acpi/rsdp' ? 2 : 1, 'zone');
        allocated.push(name(4));
      } else if (word(0) === 2) {
        const [offset, size] = [word(116), script[at + 120]!];
        file.writeUIntLE(file.readUIntLE(offset, Math.min(size, 6)) + PLACES[name(60)]!, offset, Math.min(size, 6));
      } else {
        assert.equal(word(0), 3);
        const [offset, start, length] = [word(60), word(64), word(68)];
        file[offset] = (file[offset]! - sum(file.subarray(start, start + length))) & 0xff;
      }
    }
    assert.deepEqual(allocated.sort(), Object.keys(PLACES));
    const root = files.get('etc/acpi/rsdp')!;
    assert.deepEqual([sum(root.subarray(0, 20)), sum(root)], [0, 0]);
    const moved = tablesOf(files.get('etc/acpi/tables')!, PLACES['etc/acpi/tables'], root);
    assert.deepEqual([...moved.keys()].sort(), [...tables.keys()].sort());
    for (const [name, table] of moved) if (name !== 'FACS') assert.equal(sum(table), 0, name);
    for (const name of ['DSDT', 'APIC', 'FACS']) assert.deepEqual(moved.get(name), tables.get(name));
  });

  const hasIasl = spawnSync('iasl', ['-v']).status === 0;
  test('iasl reads them as they are meant', { skip: !hasIasl && 'no iasl here' }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-acpi-'));
    try {
      const listing = (name: string) => {
        const file = join(folder, `${name}.dat`);
        writeFileSync(file, tables.get(name)!);
        const { status, stdout, stderr } = spawnSync('iasl', ['-d', file], { encoding: 'utf8', cwd: folder });
        assert.equal(status, 0, stderr);
        const text = readFileSync(join(folder, `${name}.dsl`), 'utf8');
        assert.doesNotMatch(`${stdout}${stderr}${text}`, /error|warning|unknown|invalid|incorrect/i);
        return text;
      };
      for (const name of ['RSDT', 'XSDT', 'FACS']) listing(name);
      const fadt = listing('FACP');
      assert.match(fadt, /Reset Register Supported \(V2\) : 1/);
      assert.match(fadt, /SCI Interrupt : 0009/);
      assert.match(fadt, /Value to cause reset : 06/);
      assert.match(fadt, /PM Timer Block Address : 00000608/);
      assert.match(fadt, /32-bit PM Timer \(V1\) : 0/);
      const madt = listing('APIC');
      assert.equal(madt.match(/Processor Local APIC\]/g)?.length, 3);
      assert.match(madt, /Address : FEC00000/);
      const dsdt = listing('DSDT');
      assert.match(dsdt, /Name \(\\?_S5, Package \(0x04\)/);
      assert.match(dsdt, /Name \(_HID, EisaId \("PNP0A03"\)/);
      assert.match(dsdt, /Name \(_HID, EisaId \("PNP0303"\)/);
      assert.match(dsdt, /IRQNoFlags \(\)\s+\{1\}/);
      assert.match(dsdt, /0xC4000000,\s+\/\/ Range Minimum\s+0xFEBFFFFF,/);
      assert.match(dsdt, /IO \(Decode16,\s+0x0CF8,/);
      // What was disassembled compiles, without a word against it.
      const compiled = spawnSync('iasl', ['-we', join(folder, 'DSDT.dsl')], { encoding: 'utf8', cwd: folder });
      assert.equal(compiled.status, 0, compiled.stdout + compiled.stderr);
      assert.deepEqual(
        readFileSync(join(folder, 'DSDT.aml')).subarray(36).toString('hex'),
        tables.get('DSDT')!.subarray(36).toString('hex'),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
