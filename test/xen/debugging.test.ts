/** Debian's Xen boots its first domain under the debugger, to init and to power-off: what is seen of the two on the way. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type {
  HypercallRecord,
  HypercallsPart,
  InterruptsPart,
  PageTableRoot,
  XenEventChannel,
} from '../../debug-adapter/protocol/custom.ts';
import { xenCalls } from '../../hypervisor-core/hypercalls/xen-names.ts';
import { evaluate, move, runToStop, stack, type } from '../adapter/driving.ts';
import { sharedLines } from '../linux/serial-log.ts';
import { patience } from '../patience.ts';
import { addresses, instructions, lines, named, popsAt } from './tools.ts';
import { backend, files, LONGEST, SHARED, XenGuest, xenUnderQemu } from './xen-guest.ts';

const symbols = addresses();
const address = (name: string) => symbols.get(name) ?? assert.fail(`nm knows no ${name}`);
/** Of `struct cpu_user_regs`, whose address `pv_hypercall` is given: the number of the call is in RAX. */
const NUMBER = '*(unsigned long *)($rdi + 80)';
const [FIRST, RIP, RSP] = [112, 128, 152];

let guest: XenGuest;
let client: DapClient;

const breakAt = (...breakpoints: { name: string; condition?: string }[]) =>
  client.request('setFunctionBreakpoints', { breakpoints });

/** Has the calls of the first domain listed, or no more; only our own core does that, and others say so. */
async function list(on: boolean): Promise<void> {
  const listing = client.request('ringside/recordCalls', { on });
  if (backend === 'kvm') assert.deepEqual(await listing, { on: true });
  else await assert.rejects(listing, /QEMU does not tell recordCalls: only Ringside's own core on KVM does/);
}

/** What is listed from `from` on, with names of where it came from. */
async function listed(from = 0): Promise<HypercallsPart> {
  const part = await client.request('ringside/hypercalls', { from, limit: 10_000 });
  assert.deepEqual([part.dropped, part.total], [0, from + part.records.length]);
  return part;
}

/** A name with an offset as gdb writes it. */
const inWords = (name = '') => name.replace(/\+0x(\w+)$/, (_, offset) => ` + ${Number.parseInt(offset, 16)}`);

const nameOf = ({ name }: HypercallRecord) => name.replace(/:.*/, '');

/** What a console_io was listed with, as the console has it. */
const printedBy = ({ arguments: given }: HypercallRecord) => given[2]?.text?.replace(/(\\n|…).*/, '') ?? '';

/** A register of the caller that `pv_hypercall` was given. */
const saved = async (offset: number) => BigInt(await evaluate(client, `*(unsigned long *)($rdi + ${offset})`));

const bytesAt = async (memoryReference: string, count: number) =>
  Buffer.from((await client.request('readMemory', { memoryReference, count }))?.data ?? '', 'base64');

/** An array of struct trap_info, up to its last entry, which has no address. */
async function trapsAt(memoryReference: string): Promise<ReadonlyMap<number, string>> {
  const [bytes, entryBytes] = [await bytesAt(memoryReference, 256 * 16), 16];
  const traps = new Map<number, string>();
  for (let at = 0; at < bytes.length && bytes.readBigUInt64LE(at + 8) !== 0n; at += entryBytes) {
    traps.set(bytes.readUInt8(at), `0x${bytes.readBigUInt64LE(at + 8).toString(16)}`);
  }
  return traps;
}

/** Handlers that Xen has of the first domain's first vCPU, by vector. */
async function handlers(): Promise<ReadonlyMap<number, string>> {
  const { vcpus } = await client.request('ringside/xenDomain', {});
  return new Map(vcpus[0]?.traps.map(({ vector, handler }) => [vector, handler]));
}

/** ECS_..., as Xen prints them. */
const STATES = ['free', 'reserved', 'unbound', 'interdomain', 'pirq', 'virq', 'ipi'];

/** A channel in the words of Xen's debug key `e`. */
const asXenPrints = ({ port, pending, masked, state, detail }: XenEventChannel) =>
  `${port} [${Number(pending)}/${Number(masked)}] s=${STATES.indexOf(state)}${/irq/.test(state) ? ` ${state[0]}=${detail}` : ''}`;

async function pageTables(): Promise<PageTableRoot> {
  const { pageTables } = await client.request('ringside/snapshot', { threadId: 1, parts: ['pageTables'] });
  return pageTables as PageTableRoot;
}

before(async () => {
  guest = new XenGuest();
  client = guest.adapter.client;
  await guest.launch();
});

after(async () => {
  await guest.adapter.close();
});

describe('Debian’s Xen', { timeout: patience(LONGEST) }, () => {
  test('stops at a function of its own by name, though it moves itself before, with its callers and its code', async () => {
    await list(true);
    await breakAt({ name: 'dom0_construct_pv' });
    await runToStop(client);
    assert.ok(guest.log.includes('New Xen image base address'), guest.log.slice(-500));
    const frames = (await stack(client)).slice(0, 4);
    const places = frames.map(({ instructionPointerReference }) => BigInt(instructionPointerReference ?? 0));
    assert.equal(places[0], address('dom0_construct_pv'));
    const names = frames.map(({ name }) => inWords(name));
    assert.deepEqual(names, named(places));
    assert.deepEqual(
      names.map((name) => name.replace(/ .*/, '')),
      ['dom0_construct_pv', 'construct_dom0', '__start_xen', '__high_start'],
    );
    const code = instructions(places[0] ?? 0n, 30);
    const memoryReference = frames[0]?.instructionPointerReference ?? '';
    const ours = await client.request('disassemble', { memoryReference, instructionCount: code.length });
    assert.deepEqual(
      ours?.instructions.map(({ address: at, instructionBytes }) => `${at} ${instructionBytes}`),
      code,
    );
  });

  test('has its page tables and its interrupts shown', async () => {
    const { result } = await client.request('ringside/walk', { threadId: 1, address: '&dom0_construct_pv' });
    assert.ok(result.kind === 'mapped');
    // Of the file, .text begins at the segment's start.
    const [base, offset] = [address('_stext') & ~0x1f_ffffn, 0x8000n];
    const at = Number(address('dom0_construct_pv') - base + offset);
    const inFile = readFileSync(files.symbols).subarray(at, at + 64);
    assert.deepEqual(await bytesAt(`physical:${result.physical}`, 64), inFile);
    const { interrupts } = await client.request('ringside/snapshot', { threadId: 1, parts: ['interrupts'] });
    const { idt, lapic } = interrupts as InterruptsPart;
    for (const [vector, name] of [
      [2, 'nmi'],
      [8, 'double_fault'],
      [13, 'general_protection'],
      [14, 'page_fault'],
    ] as const) {
      assert.equal(BigInt(idt[vector]?.handler ?? 0), address(name), name);
      assert.equal(idt[vector]?.symbol, name);
    }
    assert.ok(lapic);
  });

  test('stops at each hypercall of its first domain by address, and at those of one number alone', async () => {
    await breakAt();
    const instructionReference = `0x${address('pv_hypercall').toString(16)}`;
    await client.request('setInstructionBreakpoints', { breakpoints: [{ instructionReference }] });
    const calls = [17, 12, 14, 2, 25, 0].map((number) => xenCalls[number]?.name ?? '');
    await breakAt(...calls.map((name) => ({ name: `do_${name}` })));
    const made: { rip: bigint; first: bigint; stack: Buffer; name: string }[] = [];
    for (const name of calls) {
      await move(client, 'continue');
      const [entry, caller, domain] = await stack(client);
      assert.deepEqual([entry?.name, caller?.name.replace(/\+.*/, '')], ['pv_hypercall', 'lstar_enter']);
      assert.equal(BigInt(domain?.instructionPointerReference ?? 0), await saved(RIP));
      assert.equal(xenCalls[Number(await evaluate(client, NUMBER))]?.name, name);
      const top = await bytesAt(`0x${(await saved(RSP)).toString(16)}`, 64);
      made.push({ rip: await saved(RIP), first: await saved(FIRST), stack: top, name: domain?.name ?? '' });
      await move(client, 'continue');
      assert.equal((await stack(client))[0]?.name, `do_${name}`);
    }
    const [stub = 0n, ...otherStubs] = new Set(made.map(({ rip }) => rip));
    assert.equal(otherStubs.length, 0);
    const [stubName = ''] = named([stub], files.kernelSymbols);
    for (const { name } of made) assert.equal(inWords(name).replace(/ .*/, ''), stubName.replace(/ .*/, ''));
    const saves = popsAt(stub);
    const callers = made.map(({ stack: words }) => words.readBigUInt64LE(8 * saves));
    const given = await trapsAt(`0x${(made.at(-1)?.first ?? 0n).toString(16)}`);
    assert.ok(given.has(14) && given.size > 15, `${given.size}`);
    assert.deepEqual(await handlers(), new Map());
    // The last has not returned.
    const shown = backend === 'kvm' ? (await listed()).records : [];
    for (const [index, record] of shown.entries()) {
      assert.equal(nameOf(record), calls[index]);
      assert.deepEqual(
        [record.rip, record.arguments[0]?.value, record.caller].map((value) => BigInt(value ?? 0)),
        [stub, made[index]?.first, callers[index]],
      );
      assert.deepEqual([record.abi, record.cpl, record.vcpu], ['xen', 3, 0]);
      const SYSCALL = [0x0f, 0x05];
      assert.deepEqual([...(await bytesAt(`0x${(BigInt(record.rip) - 2n).toString(16)}`, 2))], SYSCALL);
    }
    if (backend === 'kvm') {
      assert.equal(shown.length, calls.length - 1);
      for (const [index, number] of [17, 12, 14, 2, 25].entries()) {
        const { names, mask = 0xffff_ffffn } = xenCalls[number]?.operations ?? {};
        const operation = names?.[Number((made[index]?.first ?? 0n) & mask)];
        assert.equal(shown[index]?.name, operation === undefined ? calls[index] : `${calls[index]}: ${operation}`);
        assert.equal(shown[index]?.result, '0x0');
      }
    }
    await client.request('setInstructionBreakpoints', { breakpoints: [] });
    await breakAt({ name: 'pv_hypercall', condition: `${NUMBER} == 18` });
    await move(client, 'continue');
    assert.equal(xenCalls[Number(await evaluate(client, NUMBER))]?.name, 'console_io');
    assert.deepEqual(await handlers(), given);
  });

  const whereListed: typeof test | undefined = backend === 'kvm' ? test : undefined;
  whereListed?.('stops on a call that is listed, and lists what that was about', async () => {
    await breakAt();
    const { records: before } = await listed();
    assert.equal(before.filter((record) => nameOf(record) === 'console_io').length, 0);
    await client.request('ringside/stopOn', { stops: ['hypercall xen 0x12'] });
    await move(client, 'continue');
    assert.equal((await stack(client))[0]?.name, 'pv_hypercall');
    assert.equal(await evaluate(client, NUMBER), '18');
    await client.request('ringside/stopOn', { stops: [] });
    const { records: more } = await listed(before.length);
    const [first, ...others] = more.filter((record) => nameOf(record) === 'console_io');
    assert.ok(first && others.length === 0);
    assert.deepEqual([first.name, first.result], ['console_io: write', '0x0']);
    assert.ok(guest.log.includes(printedBy(first)) && printedBy(first) !== '', printedBy(first));
    await list(false);
  });

  whereListed?.('names the functions of the first domain’s kernel that the calls came from, as gdb does', async () => {
    const { records, symbols: names } = await listed();
    const callers = [...new Set(records.map(({ caller }) => BigInt(caller ?? assert.fail())))];
    const given = callers.map((caller) => names[`0x${caller.toString(16)}`]);
    assert.deepEqual(given.map(inWords), named(callers, files.kernelSymbols));
    const functions = new Set(given.map((name) => name?.replace(/\+.*/, '')));
    assert.ok(functions.has('xen_start_kernel') && functions.size > 5, [...functions].join());
    // A CALL of five bytes: of what makes all calls, or of what jumps there.
    const kernel = addresses(files.kernelSymbols);
    const stubs = ['xen_hypercall_pv', '__SCT__xen_hypercall'].map((name) => kernel.get(name));
    for (const [index, caller] of callers.entries()) {
      const call = await bytesAt(`0x${(caller - 5n).toString(16)}`, 5);
      assert.equal(call[0], 0xe8, given[index]);
      assert.ok(stubs.includes(caller + BigInt(call.readInt32LE(1))), given[index]);
    }
  });

  // On KVM, where the kernel's names alone are known, the breakpoint would be on an instruction that ftrace patches.
  const whereLines: typeof test | undefined = backend === 'qemu' ? test : undefined;
  whereLines?.('stops in the first domain’s own kernel by name, with source lines, where gdb has them', async () => {
    await breakAt({ name: 'rest_init' });
    await move(client, 'continue');
    const frames = (await stack(client)).slice(0, 4);
    const places = new Map(frames.map((frame) => [BigInt(frame.instructionPointerReference ?? 0), frame]));
    // Of callers the call itself: a function may end with one.
    const code = [...places.keys()].map((place, n) => (n === 0 ? place : place - 1n));
    // The last frame of an address is the function's own, the first the innermost of what was inlined there.
    assert.deepEqual(
      [...places.values()].map(({ name }) => name),
      named(code, files.kernelSymbols).map((name) => name.replace(/ .*/, '')),
    );
    const innermost = [...places.keys()].map((place) =>
      frames.find(({ instructionPointerReference: at }) => BigInt(at ?? 0) === place),
    );
    assert.deepEqual(
      innermost.map((frame) => frame?.line),
      lines(code, files.kernelSymbols),
    );
    assert.ok(places.size > 1);
    assert.equal(await evaluate(client, 'system_state'), 'SYSTEM_BOOTING');
  });

  test('boots its first domain to init, whose page tables are shown when it calls', async () => {
    await breakAt();
    await client.request('continue', { threadId: 1 });
    await guest.printed('guest: waits');
    await breakAt({ name: 'pv_hypercall' });
    await client.stopped();
    const { cr3, entries } = await pageTables();
    assert.ok(BigInt(cr3) !== 0n && entries.some(({ index }) => index === 261));
    const kernel = /Loaded kernel: ([0-9a-f]+)->/.exec(guest.log)?.[1];
    const { result } = await client.request('ringside/walk', { threadId: 1, address: `0x${kernel}` });
    assert.ok(result.kind === 'mapped' && result.flags.includes('U'), JSON.stringify(result));
    const [, start, end] = /Dom0 alloc\.: +([0-9a-f]+)->([0-9a-f]+)/.exec(guest.log) ?? [];
    assert.ok(BigInt(`0x${start}`) <= BigInt(result.physical) && BigInt(result.physical) < BigInt(`0x${end}`));
  });

  test('has what interrupts its first domain shown: event channels as Xen itself prints them', async () => {
    await breakAt({ name: 'dump_evtchn_info' });
    await client.request('continue', { threadId: 1 });
    // Three of them go over to Xen, and back.
    const over = '\x01\x01\x01';
    await type(client, `${over}e`);
    await client.stopped();
    const domain = await client.request('ringside/xenDomain', {});
    await breakAt();
    await client.request('continue', { threadId: 1 });
    await guest.printed('Event channel information for domain 0');
    await type(client, `h`);
    await guest.printed(`'h' pressed`);
    await type(client, over);
    await client.request('pause', { threadId: 1 });
    await client.stopped();
    assert.deepEqual([domain.id, domain.problem, domain.vcpus.length], [0, undefined, 1]);
    const { traps = [], processor } = domain.vcpus[0] ?? {};
    assert.equal(processor, 0);
    // Of its own, by now: breakpoints, overflows and system calls of 32-bit programs.
    const ofUserCode = traps.filter(({ dpl }) => dpl === 3).map(({ vector }) => vector);
    assert.deepEqual(ofUserCode, [3, 4, 0x80]);
    const [, printed = ''] = guest.log.split('Event channel information for domain 0');
    const lines = printed.matchAll(/^\(XEN\) +(\d+) \[(\d\/\d)\/[^\]]*\]: s=(\d) n=\d+ x=\d(?:.*? ([vp]=\d+))?/gm);
    const xens = [...lines].map(([, port, bits, state, detail]) =>
      [`${port} [${bits}] s=${state}`, ...(detail ? [detail] : [])].join(' '),
    );
    assert.ok(xens.length > 5, printed);
    assert.deepEqual(domain.channels.map(asXenPrints), xens);
  });

  test('powers off when its first domain does, having said what it says under QEMU with the same KVM', async () => {
    await breakAt();
    await client.request('continue', { threadId: 1 });
    await type(client, 'you\n');
    await client.event('terminated');
    assert.ok(guest.log.includes('guest: heard you'), guest.log.slice(-500));
    const complaints = guest.log.split('\n').filter((line) => /Oops|BUG:|Call Trace|[Pp]anic/.test(line));
    assert.deepEqual(complaints, []);
    const lines = sharedLines(guest.log, SHARED);
    assert.ok(lines.length > 25, lines.join('\n'));
    if (backend === 'kvm') assert.deepEqual(lines, sharedLines(xenUnderQemu(), SHARED));
  });
});
