/**
 * Compares the walks with those of QEMU: a guest of a few lines sets up tables in each mode, QEMU's monitor says what is
 * mapped (`info tlb`, `info mem`, `gva2gpa`), and our walk of a dump of the guest's memory must say the same.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { QemuMonitor } from '../../test/core/qemu-monitor.ts';
import { assembleMultiboot, pageAndHalt } from '../../test/guests/multiboot.ts';
import { PageFlag } from './page-flags.ts';
import { type PagingMode, type PagingState, pagingMode, tableLevels } from './paging-mode.ts';
import { addressOf, pageRanges } from './ranges.ts';
import { withReads } from './reads.ts';
import { isMapped, scanPages } from './scan.ts';
import { walk } from './walk.ts';

const RAM = 16 * 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'ringside-paging-'));
after(() => rmSync(folder, { recursive: true }));

interface Setup {
  readonly mode: PagingMode;
  readonly cr4: number;
  readonly efer: number;
  /** Table entries: address, value. */
  readonly tables: readonly (readonly [number, bigint])[];
  readonly entryBytes: 4 | 8;
  /** Addresses for gva2gpa, mapped or not. */
  readonly probes: readonly bigint[];
}

const NX = 1n << 63n;
const setups: readonly Setup[] = [
  {
    mode: '32-bit',
    cr4: 0x10,
    efer: 0,
    entryBytes: 4,
    tables: [
      [0x20_0000, 0x83n],
      [0x20_0004, 0x20_1007n],
      [0x20_0008, 0x40_0187n],
      [0x20_0ffc, 0x20_1003n],
      [0x20_1000, 0x30_0067n],
      [0x20_1004, 0x30_1005n],
      [0x20_1008, 0x30_2103n],
      [0x20_1ffc, 0x30_3001n],
    ],
    probes: [0x1234n, 0x40_0123n, 0x40_1fffn, 0x40_3000n, 0x80_4567n, 0xffc0_0010n, 0xffff_f123n, 0xc0_0000n],
  },
  {
    mode: 'pae',
    cr4: 0x20,
    efer: 0x800,
    entryBytes: 8,
    tables: [
      [0x20_0000, 0x20_1001n],
      [0x20_0018, 0x20_2001n],
      [0x20_1000, 0x83n],
      [0x20_1008, 0x20_0087n | NX],
      [0x20_2ff8, 0x20_3007n],
      [0x20_3000, 0x30_0063n],
      [0x20_3008, 0x30_1007n | NX],
      [0x20_3ff8, 0x30_2001n],
    ],
    probes: [0x1234n, 0x20_0123n, 0xffe0_0010n, 0xffe0_1fffn, 0xffe0_2000n, 0xffff_f123n, 0x4000_0000n, 0x40_0000n],
  },
  {
    mode: '4-level',
    cr4: 0x20,
    efer: 0x900,
    entryBytes: 8,
    tables: [
      [0x20_0000, 0x20_1027n],
      [0x20_0800, 0x20_1003n | NX],
      [0x20_0ff8, 0x20_1023n],
      [0x20_1000, 0x20_2027n],
      [0x20_1008, 0x4000_0183n],
      [0x20_1ff0, 0x20_2003n],
      [0x20_2000, 0xe3n],
      [0x20_2008, 0x20_3007n | NX],
      [0x20_2010, 0x20_3005n],
      [0x20_3000, 0x30_0067n],
      [0x20_3008, 0x30_1105n],
      [0x20_3ff8, 0x30_2019n | NX],
    ],
    probes: [
      0x1234n,
      0x20_0123n,
      0x20_1fffn,
      0x20_2000n,
      0x3f_f001n,
      0x40_0010n,
      0x4012_3456n,
      0xffff_8000_0020_0010n,
      0xffff_ffff_8020_1abcn,
      0xffff_ffff_c000_0000n,
    ],
  },
  {
    mode: '5-level',
    cr4: 0x1020,
    efer: 0x900,
    entryBytes: 8,
    tables: [
      [0x20_0000, 0x20_4007n],
      [0x20_0ff8, 0x20_4003n],
      [0x20_4000, 0x20_1007n],
      [0x20_4ff8, 0x20_1003n],
      [0x20_1000, 0x20_2007n],
      [0x20_1ff0, 0x20_2003n],
      [0x20_2000, 0x83n],
      [0x20_2008, 0x20_3007n],
      [0x20_3010, 0x30_0067n | NX],
    ],
    probes: [0x1234n, 0x20_2123n, 0xff00_0000_0020_2123n, 0xffff_ffff_8000_0042n, 0x1_0000_0000_0000n],
  },
];

/** A multiboot kernel that fills in the tables, switches the mode on and halts. */
function guest(setup: Setup): string {
  const store = ([address, value]: readonly [number, bigint]) => [
    `movl $${BigInt.asUintN(32, value)}, ${address}`,
    ...(setup.entryBytes === 8 ? [`movl $${value >> 32n}, ${address + 4}`] : []),
  ];
  return `
    cld
    movl $0x200000, %edi
    movl $0x8000, %ecx
    xorl %eax, %eax
    rep stosl
    ${setup.tables.flatMap(store).join('\n')}
    ${pageAndHalt({ cr3: 0x20_0000, cr4: setup.cr4, efer: setup.efer })}
  `;
}

const build = (setup: Setup): string => assembleMultiboot(join(folder, setup.mode), guest(setup));

const field = (text: string, name: string) =>
  BigInt(`0x${new RegExp(`${name}=([0-9a-f]+)`).exec(text)?.[1] ?? 'none'}`);

/** Lines of `info tlb`: virtual page, physical page, and letters X(NX) G P(large) D A C(PCD) T(PWT) U W. */
function tlbLines(text: string) {
  return [...text.matchAll(/^([0-9a-f]+): ([0-9a-f]+) ([-A-Z]{9})/gm)].map(([, virtual, physical, letters]) => ({
    virtual: BigInt(`0x${virtual}`),
    // In PAE mode QEMU leaves NX in the address.
    physical: BigInt(`0x${physical}`) & 0xf_ffff_ffff_ffffn,
    letters: letters ?? '',
  }));
}

/** QEMU 7.2 searches for most of a minute in 5-level tables and prints nothing. */
const infoMemWorks = (mode: PagingMode) => mode !== '5-level';

/** Lines of `info mem`: start-end size rights. */
function memLines(text: string) {
  return [...text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) [0-9a-f]+ (\S{3})/gm)].map(([, start, end, rights]) => ({
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
    user: rights?.[0] === 'u',
    writable: rights?.[2] === 'w',
  }));
}

/** Of flags that are the leaf's own, in QEMU's letters. */
function ownLetters(flags: number): string {
  const own = [
    ['G', PageFlag.global],
    ['D', PageFlag.dirty],
    ['A', PageFlag.accessed],
    ['C', PageFlag.cacheDisable],
    ['T', PageFlag.writeThrough],
  ] as const;
  return own.map(([letter, flag]) => (flags & flag ? letter : '-')).join('');
}

interface Observation {
  readonly state: PagingState;
  readonly read: (address: bigint, length: number) => Uint8Array;
  readonly tlb: ReturnType<typeof tlbLines>;
  readonly mem: ReturnType<typeof memLines>;
  /** Answers of gva2gpa by address. */
  readonly translations: ReadonlyMap<bigint, string>;
}

/** Runs the guest until it halts and asks QEMU everything. */
async function observe(setup: Setup): Promise<Observation> {
  const qemu = new QemuMonitor(build(setup), ['-cpu', 'max,la57=on']);
  try {
    const registers = await qemu.halted((text) => /CR0=8/.test(text));
    const dump = join(folder, `${setup.mode}.ram`);
    const failure = await qemu.ask(`pmemsave 0 ${RAM} "${dump}"`);
    assert.ok(!failure.includes('rror'), failure);
    const ram = readFileSync(dump);
    const translations = new Map<bigint, string>();
    for (const probe of setup.probes) translations.set(probe, await qemu.ask(`gva2gpa 0x${probe.toString(16)}`));
    return {
      state: {
        cr0: field(registers, 'CR0'),
        cr3: field(registers, 'CR3'),
        cr4: field(registers, 'CR4'),
        efer: field(registers, 'EFER'),
      },
      read: (address, length) =>
        address < BigInt(RAM) ? ram.subarray(Number(address), Number(address) + length) : new Uint8Array(),
      tlb: tlbLines(await qemu.ask('info tlb')),
      mem: infoMemWorks(setup.mode) ? memLines(await qemu.ask('info mem')) : [],
      translations,
    };
  } finally {
    qemu.kill();
  }
}

for (const setup of setups) {
  describe(`${setup.mode} paging as QEMU sees it`, { timeout: 60_000 }, () => {
    let seen: Observation;
    before(async () => {
      seen = await observe(setup);
    });

    test('the mode is the one that was set up', () => assert.equal(pagingMode(seen.state), setup.mode));

    test('info tlb: every page, where it is and its own flags', () => {
      const { state, read, tlb } = seen;
      assert.ok(tlb.length > 3);
      for (const { virtual, physical, letters } of tlb) {
        const { result, steps } = withReads(walk(state, virtual), read);
        assert.ok(result.kind === 'mapped', result.kind === 'fault' ? result.reason : '');
        assert.equal(result.physical, physical, `0x${virtual.toString(16)}`);
        const flags = steps.at(-1)?.flags ?? [];
        const mine = ['NX', 'G', 'PS', 'D', 'A', 'PCD', 'PWT', 'U', 'W'].map((flag, index) =>
          flags.includes(flag) ? 'XGPDACTUW'[index] : '-',
        );
        assert.equal(mine.join(''), letters, `0x${virtual.toString(16)}`);
      }
    });

    test('info tlb: the scan finds the same pages, and no others', () => {
      const { state, read, tlb } = seen;
      const { runs, truncated } = withReads(scanPages(state), read);
      assert.equal(truncated, false);
      const levels = new Map(tableLevels(state).map(({ level, shift }) => [level, 1n << shift]));
      const found = runs
        .filter(({ flags }) => isMapped(flags))
        .flatMap((run) => {
          const size = levels.get(run.level) ?? 0n;
          const count = Number((BigInt(run.pages) << 12n) / size);
          return Array.from({ length: count }, (_, index) => {
            const offset = BigInt(index) * size;
            const large = run.level > 1 ? 'P' : '-';
            return `${addressOf(run.page) + offset} ${addressOf(run.frame) + offset} ${large}${ownLetters(run.flags)}`;
          });
        });
      // U, W and NX are those of the leaf alone in QEMU's words, and of all levels in ours: `info mem` compares them.
      const theirs = tlb.map(({ virtual, physical, letters }) => {
        const own = [...'GDACT'].map((letter) => (letters.includes(letter) ? letter : '-')).join('');
        return `${virtual} ${physical} ${letters.includes('P') ? 'P' : '-'}${own}`;
      });
      assert.deepEqual(found, theirs);
    });

    if (infoMemWorks(setup.mode)) {
      test('info mem: the same ranges with the same rights', () => {
        const { state, read, mem } = seen;
        const { runs } = withReads(scanPages(state), read);
        // QEMU does not tell executable pages apart, nor small ones from large ones.
        const ranges = pageRanges(runs, PageFlag.present | PageFlag.user | PageFlag.writable, false);
        const mine = ranges.map(({ start, size, flags }) => ({
          start,
          end: start + size,
          user: (flags & PageFlag.user) !== 0,
          writable: (flags & PageFlag.writable) !== 0,
        }));
        assert.deepEqual(mine, mem);
      });
    }

    test('gva2gpa: the same addresses, and the same holes', () => {
      const { state, read, translations } = seen;
      for (const [probe, answer] of translations) {
        const { result } = withReads(walk(state, probe), read);
        const theirs = /gpa: (?:0x)?([0-9a-f]+)/.exec(answer)?.[1];
        const mine = result.kind === 'mapped' ? result.physical : undefined;
        assert.equal(
          mine,
          theirs === undefined ? undefined : BigInt(`0x${theirs}`),
          `0x${probe.toString(16)}: ${answer}`,
        );
      }
    });
  });
}
