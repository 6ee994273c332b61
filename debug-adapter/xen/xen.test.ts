/** The first domain of a Xen whose memory a compiler has laid out: public structures by Xen's headers, its own as in Xen 4.17. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compileProgram, segmentsOf } from '../expressions/test-program.ts';
import { openSymbols } from '../symbols/symbols.ts';
import { eventChannels } from './event-channels.ts';
import { firstDomain } from './first-domain.ts';
import { trapTable } from './trap-table.ts';
import { XenError, XenMemory } from './xen-memory.ts';

const HEADERS = '/usr/include/xen/event_channel.h';

/** Two vCPUs, ports in two buckets; `OPS` says how events come, `FIRST` where the domain is. */
const source = `
#include <stdint.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#define PAGE __attribute__((aligned(4096)))
struct evtchn {
  int lock[3]; unsigned char state, flags; unsigned port;
  union { unsigned short virq, domain; unsigned irq; struct { unsigned port; void *domain; } other; } u;
} __attribute__((aligned(64)));
struct fifo { unsigned *arrays[128]; unsigned count; };
struct domain; struct vcpu;
struct vcpu { int id, processor; struct vcpu_info *info; struct domain *domain; long other[100]; struct trap_info *traps; };
struct domain {
  unsigned short id; unsigned count; struct vcpu **vcpus; struct shared_info *shared; long other[20];
  struct evtchn *evtchn, **group[4]; unsigned most, valid; int lock[4]; const void *ops; struct fifo *fifo;
};
struct ops { long functions[9]; } evtchn_port_ops_2l = { { 1 } }, evtchn_port_ops_fifo = { { 1 } };
#define P(n) { .port = n }
#define P4(n) P(n), P(n + 1), P(n + 2), P(n + 3)
#define P16(n) P4(n), P4(n + 4), P4(n + 8), P4(n + 12)
#define P64(n) P16(n), P16(n + 16), P16(n + 32), P16(n + 48)
struct evtchn first[64] PAGE = { P64(0),
  [0] = { .state = 1 },
  [1] = { .state = 5, .port = 1, .u.virq = VIRQ_CONSOLE },
  [2] = { .state = 4, .port = 2, .u.irq = 9 },
  [3] = { .state = 6, .port = 3 },
  [4] = { .state = 3, .port = 4, .u.other.port = 77 },
};
struct evtchn second[64] PAGE = { P64(64), [6] = { .state = 2, .port = 70, .u.domain = DOMID_SELF } };
struct evtchn *group[512] PAGE = { first, second };
unsigned words[1024] PAGE = {
  [1] = 1u << EVTCHN_FIFO_PENDING, [2] = 1u << EVTCHN_FIFO_MASKED,
  [3] = 1u << EVTCHN_FIFO_PENDING | 1u << EVTCHN_FIFO_MASKED | 1u << EVTCHN_FIFO_LINKED,
};
struct fifo fifo = { { words }, COUNT };
struct shared_info shared PAGE = {
  .vcpu_info = { { .evtchn_upcall_pending = 1 }, { .evtchn_upcall_mask = 1 } },
  .evtchn_pending = { 1 << 1 | 1 << 3, 1 << (70 - 64) }, .evtchn_mask = { 1 << 2 | 1 << 3 },
};
struct trap_info traps[256] PAGE = {
  [3] = { 3, 3, 0xe033, 0xffffffff81800030 },
  [14] = { 14, 4, 0xe033, 0xffffffff818000e0 },
  [0x80] = { 0x80, 3, 0xe033, 0xffffffff81800800 },
};
/** As large, and nobody's table: an entry has another's number. */
struct trap_info others[256] PAGE = { [13] = { 14, 4, 0xe033, 8 }, [14] = { 14, 4, 0xe033, 8 } };
extern struct domain domain;
struct vcpu vcpu0 PAGE = { 0, 1, &shared.vcpu_info[0], &domain, { (long)others, (long)shared.evtchn_mask, 5 }, traps };
struct vcpu vcpu1 PAGE = { ID, 0, &shared.vcpu_info[1], &domain };
struct vcpu *vcpus[2] = { &vcpu0, &vcpu1 };
struct domain domain PAGE = {
  0, 2, vcpus, &shared, { (long)group, (long)words }, first, { group }, 128, 128, { 0 }, OPS, &fifo,
};
char end PAGE = 1;
struct domain *hardware_domain = FIRST;
void main(void) {}
`;

interface Variant {
  readonly ops?: string;
  readonly first?: string;
  /** Of the second vCPU, as it says itself. */
  readonly id?: number;
  /** Event words. */
  readonly count?: number;
}

type Damage = (bytes: Uint8Array) => void;

/** Has `use` read that Xen, with its memory changed by `damage`. */
async function withXen<Result>(
  { ops = '&evtchn_port_ops_fifo', first = '&domain', id = 1, count = 1024 }: Variant,
  use: (memory: XenMemory) => Promise<Result>,
  damage: Damage = () => undefined,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-xen-'));
  try {
    const definitions = [`-DOPS=${ops}`, `-DFIRST=${first}`, `-DID=${id}`, `-DCOUNT=${count}`];
    const address = ['-mcmodel=kernel', '-fno-pie', '-Wl,-Ttext-segment=0xffffffff81000000', '-Wl,-z,noseparate-code'];
    const program = compileProgram(folder, source, ['gcc', ...address, ...definitions]);
    const segments = segmentsOf(program);
    for (const { bytes } of segments) damage(bytes);
    const symbols = await openSymbols(program);
    const read = async (from: bigint, length: number) => {
      const there = segments.find(({ address: at, bytes }) => from >= at && from < at + BigInt(bytes.length));
      const start = Number(from - (there?.address ?? 0n));
      return there ? there.bytes.subarray(start, start + length) : new Uint8Array();
    };
    try {
      return await use(XenMemory.of(symbols, read));
    } finally {
      symbols.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const channelsOf = async (memory: XenMemory) => eventChannels(memory, await firstDomain(memory));

describe('the first domain of a Xen', { skip: !existsSync(HEADERS) && `${HEADERS} is not here` }, () => {
  test('has vCPUs, which want to be told of events or do not', () =>
    withXen({}, async (memory) => {
      const { id, vcpus } = await firstDomain(memory);
      assert.equal(id, 0);
      assert.deepEqual(
        vcpus.map(({ address, ...vcpu }) => vcpu),
        [
          { id: 0, processor: 1, pending: true, masked: false },
          { id: 1, processor: 0, pending: false, masked: true },
        ],
      );
    }));

  test('has given handlers for its traps, or not yet', () =>
    withXen({}, async (memory) => {
      const { vcpus } = await firstDomain(memory);
      const [first, second] = await Promise.all(vcpus.map((vcpu) => trapTable(memory, vcpu)));
      const selector = 0xe033;
      assert.deepEqual(first, [
        { vector: 3, name: '#BP breakpoint', handler: 0xffffffff81800030n, selector, dpl: 3, masksEvents: false },
        { vector: 14, name: '#PF page fault', handler: 0xffffffff818000e0n, selector, dpl: 0, masksEvents: true },
        { vector: 128, name: 'interrupt 0x80', handler: 0xffffffff81800800n, selector, dpl: 3, masksEvents: false },
      ]);
      assert.deepEqual(second, []);
    }));

  const [pending, masked] = [
    { pending: true, masked: false },
    { pending: false, masked: true },
  ];
  const used = [
    { port: 1, state: 'virq', detail: 2, ...pending },
    { port: 2, state: 'pirq', detail: 9, ...masked },
    { port: 3, state: 'ipi', pending: true, masked: true },
    { port: 4, state: 'interdomain', detail: 77, pending: false, masked: false },
  ];
  const far = { port: 70, state: 'unbound', detail: 0x7ff0 };

  test('has event channels by two levels of bits', () =>
    withXen({ ops: '&evtchn_port_ops_2l' }, async (memory) => {
      assert.deepEqual(await channelsOf(memory), { abi: '2-level', channels: [...used, { ...far, ...pending }] });
    }));

  test('has event channels by FIFOs, of which some may have no word yet', async () => {
    for (const [count, bits] of [
      [1024, { pending: false, masked: false }],
      [64, masked],
    ] as const) {
      await withXen({ count }, async (memory) => {
        assert.deepEqual(await channelsOf(memory), { abi: 'FIFO', channels: [...used, { ...far, ...bits }] });
      });
    }
  });

  test('is not there at first, and not taken for one where it is kept in another way', async () => {
    await assert.rejects(withXen({ first: '0' }, firstDomain), /^XenError: Xen has not made its first domain yet/);
    await assert.rejects(withXen({ id: 2 }, firstDomain), /^XenError: This Xen keeps its domains in another way/);
    await assert.rejects(
      withXen({ ops: '0' }, channelsOf),
      /^XenError: This Xen keeps its event channels in another way/,
    );
    await assert.rejects(withXen({ first: '(void *)0x1000' }, firstDomain), /^XenError: .*0x1000 is not mapped/);
  });

  test('whatever its memory holds, is read to an end', async () => {
    const damages = fc.sample(fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 200 }), 20);
    for (const damage of damages) {
      await withXen(
        {},
        async (memory) => {
          try {
            const domain = await firstDomain(memory);
            for (const vcpu of domain.vcpus) assert.ok((await trapTable(memory, vcpu)).length <= 256);
            assert.ok((await eventChannels(memory, domain)).channels.length <= 4096);
          } catch (error) {
            assert.ok(error instanceof XenError, String(error));
          }
        },
        (bytes) => {
          for (const [at, value] of damage) bytes[at % bytes.length] = value;
        },
      );
    }
  });
});
