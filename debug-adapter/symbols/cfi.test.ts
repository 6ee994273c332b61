import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Addresses } from './addresses.ts';
import { CallFrames } from './cfi.ts';
import { type RegisterRule, rulesAt } from './cfi-rules.ts';
import { DebugInfo } from './debug-info.ts';
import { ElfFile } from './elf.ts';
import { build, everyVariant, nameOf, run, type Variant } from './fixtures/toolchain.ts';
import { tableFor } from './register-tables.ts';

interface Row {
  readonly address: bigint;
  readonly cfa: string;
  /** By readelf's names, `ra` the return address. */
  readonly rules: ReadonlyMap<string, string>;
}

/** The tables that `readelf --debug-dump=frames-interp` prints for frame description entries. */
function readelfRows(program: string): Row[] {
  const rows: Row[] = [];
  let columns: string[] = [];
  let isDescription = false;
  for (const line of run('readelf', ['--debug-dump=frames-interp', '--wide', program]).split('\n')) {
    if (/ (CIE|FDE) /.test(line)) isDescription = line.includes(' FDE ');
    const words = line.trim().split(/\s+/);
    if (words[0] === 'LOC') columns = words.slice(2);
    else if (isDescription && /^[0-9a-f]{8,16}$/.test(words[0] ?? '') && words[1]?.includes('+'))
      rows.push({
        address: BigInt(`0x${words[0]}`),
        cfa: words[1],
        rules: new Map(columns.map((column, index) => [column, words[index + 2] as string])),
      });
  }
  return rows;
}

const signedText = (offset: number) => (offset < 0 ? `${offset}` : `+${offset}`);

function ruleText(rule: RegisterRule | undefined): string {
  if (!rule || rule.kind === 'undefined') return 'u';
  if (rule.kind === 'same') return 's';
  if (rule.kind === 'offset') return `c${signedText(rule.offset)}`;
  return rule.kind;
}

const variants: readonly Variant[] = [
  ...everyVariant,
  ...everyVariant
    .filter(({ dwarf }) => dwarf === 5)
    .map((variant) => ({ ...variant, flags: ['-fno-asynchronous-unwind-tables'] })),
  { compiler: 'gcc', optimisation: 2, dwarf: 5, narrow: true },
];

describe('call frame rules as readelf has them', () => {
  for (const variant of variants) {
    test(nameOf(variant), () => {
      const program = build(variant);
      const elf = ElfFile.open(program);
      const addresses = new Addresses(elf.entry & ~0xfffffn, elf.wordSize);
      const frames = new CallFrames(new DebugInfo(elf, addresses, elf));
      const names = tableFor(elf.machine);
      const rows = readelfRows(program);
      assert.ok(rows.length > 10, `${rows.length} rows`);
      for (const { address, cfa, rules } of rows) {
        // What the linker threw away.
        if (address < 0x1000n) continue;
        const distance = addresses.toDistance(address);
        const fde = frames.find(distance);
        assert.ok(fde, address.toString(16));
        const ours = rulesAt(fde, distance, (each) => addresses.toDistance(each));
        assert.ok(ours.cfa?.kind === 'register');
        assert.equal(`${names.get(ours.cfa.register)}${signedText(ours.cfa.offset)}`, cfa, address.toString(16));
        for (const [name, rule] of rules) {
          const number: number | undefined =
            name === 'ra' ? fde.cie.returnRegister : [...names].find(([, each]) => each === name)?.[0];
          assert.equal(ruleText(ours.registers.get(number ?? -1)), rule, `${name} at ${address.toString(16)}`);
        }
      }
      elf.close();
    });
  }
});
