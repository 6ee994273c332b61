/** Debian's Linux as a guest of KVM: the calls that it makes by instructions that it has patched, and where they are in its code. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { HypercallRecord, HypercallsPart, RingsideEvents } from '../../debug-adapter/protocol/custom.ts';
import { waysSeen } from '../../extension/novsc/hypercall-ways.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { launch, move, outputOf, printed, runToStop, topFrame, type, withAdapter } from '../adapter/driving.ts';
import { patience } from '../patience.ts';
import { COMMAND_LINE, debian, debianByPvh, files, HIDDEN } from './linux-guest.ts';

const LONGEST = 150_000;
const CPUS = 4;

const run = (program: string, parameters: readonly string[]) =>
  execFileSync(program, parameters, { encoding: 'utf8', maxBuffer: 1 << 26 });

/** The functions that make the call of each name, by arch/x86/kernel/kvm.c. */
const MADE_BY: Readonly<Record<string, string>> = {
  KVM_HC_KICK_CPU: 'kvm_kick_cpu',
  KVM_HC_SCHED_YIELD: 'kvm_smp_send_call_func_ipi',
  KVM_HC_SEND_IPI: '__send_ipi_mask',
};

/** The name of a text symbol at or before each address, and how far that is, by nm. */
function namedByNm(addresses: readonly bigint[]): string[] {
  const lines = run('nm', ['-n', files.symbols]).matchAll(/^([0-9a-f]{16}) [tT] (\S+)$/gm);
  const functions = [...lines].map(([, address, name = '']) => ({ address: BigInt(`0x${address}`), name }));
  return addresses.map((wanted) => {
    const { address, name } = functions.findLast((each) => each.address <= wanted) ?? assert.fail();
    return `${name}+0x${(wanted - address).toString(16)}`;
  });
}

/** The instruction that ends at `address`, as it is in the kernel's file. */
const before = (address: bigint) =>
  run('objdump', ['-d', `--start-address=${address - 3n}`, `--stop-address=${address}`, files.symbols])
    .trim()
    .split('\t')
    .at(-1);

const values = ({ arguments: given }: HypercallRecord) => given.map(({ value }) => BigInt(value));

/** What a call gives that was carried out: how many processors an interrupt was sent to, or 0. */
function resultOf(call: HypercallRecord): bigint {
  const [first = 0n, second = 0n, third = 0n] = values(call);
  if (call.name !== 'KVM_HC_SEND_IPI') return 0n;
  const bits = ((first | (second << 64n)) << third).toString(2);
  assert.ok(bits.length <= CPUS, bits);
  return BigInt(bits.replaceAll('0', '').length);
}

/** Holds each call to what the kernel that makes it can mean, and to what KVM answers. */
function assertCarriedOut(records: readonly HypercallRecord[]): void {
  for (const call of records) {
    const { abi, cpl, caller, name, result = '' } = call;
    assert.deepEqual([abi, cpl, caller], ['kvm', 0, undefined]);
    assert.equal(BigInt(result), resultOf(call), JSON.stringify(call));
    if (name === 'KVM_HC_KICK_CPU') assert.equal(values(call)[0], 0n);
    const apicId = name === 'KVM_HC_KICK_CPU' ? values(call)[1] : values(call)[0];
    if (name !== 'KVM_HC_SEND_IPI') assert.ok(apicId !== undefined && apicId < CPUS, JSON.stringify(call));
  }
}

/** Holds where the kernel's own calls came from to nm and objdump. */
function assertPlaced({ records, symbols }: HypercallsPart): void {
  const places = [...new Map(records.map(({ rip, name }) => [rip, name]))];
  const rips = places.map(([rip]) => BigInt(rip));
  assert.deepEqual(
    places.map(([rip]) => symbols[rip]),
    namedByNm(rips),
  );
  for (const [rip, name] of places) assert.equal(symbols[rip]?.replace(/\+.*/, ''), MADE_BY[name], name);
  for (const rip of rips) assert.equal(before(rip), 'vmcall');
}

/** How far the end of a function's VMCALL is from its beginning. */
function behindCall(image: string, name: string): bigint {
  const text = run('objdump', ['-d', `--disassemble=${name}`, image]);
  const [, start] = new RegExp(`^([0-9a-f]+) <${name}>:$`, 'm').exec(text) ?? [];
  const [, at] = /^ *([0-9a-f]+):.*\tvmcall/m.exec(text) ?? [];
  assert.ok(start && at, text);
  return BigInt(`0x${at}`) + 3n - BigInt(`0x${start}`);
}

/** Of ptp_kvm, which asks KVM for its clock when it is loaded. */
const isOfModule = ({ name }: HypercallRecord) => name === 'KVM_HC_CLOCK_PAIRING';

const allCalls = (client: DapClient) => client.request('ringside/hypercalls', { from: 0, limit: 10_000 });

/** In launch.json, however the kernel comes. */
const attributes = { memory: '512M', cpus: CPUS, personality: 'kvm', cpu: { hide: HIDDEN } };

describe('Debian’s Linux as a guest of KVM', { timeout: patience(2 * LONGEST) }, () => {
  test('has the calls of its kernel listed, by the instructions that it patched, with their names in its code', () =>
    withAdapter(
      () => coreAdapter({ longest: LONGEST }),
      async (client) => {
        const started = client.event<RingsideEvents['ringside/started']>('ringside/started');
        await launch(client, {
          ...{ program: debianByPvh.kernel, boot: 'pvh', symbols: files.symbols, initrd: debian.initramfs },
          ...{ ...attributes, args: COMMAND_LINE },
        });
        const { info } = await started;
        assert.ok(info.callSites > 0);
        const seen = `^The guest finds KVM. Calls by the ${info.callSites} VMCALL and VMMCALL instructions of its file are`;
        assert.match(waysSeen(info), new RegExp(seen));
        await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'kernel_power_off' }] });
        await runToStop(client);
        const calls = await allCalls(client);
        assertCarriedOut(calls.records);
        assertPlaced(calls);
        // Spinlocks of four processors wait for each other before there is a first process.
        assert.ok(calls.records.some(({ name }) => name === 'KVM_HC_KICK_CPU'));
      },
    ));

  test('has those of an unpacked kernel and of its modules listed, which KVM answers itself', () =>
    withAdapter(
      () => coreAdapter({ longest: LONGEST }),
      async (client) => {
        const said = outputOf(client);
        const started = client.event<RingsideEvents['ringside/started']>('ringside/started');
        const symbols = join(files.build, 'vmlinux');
        const args = `${COMMAND_LINE} guest=clock`;
        await launch(client, { ...attributes, program: debian.kernel, symbols, initrd: debian.initramfs, args });
        const { info } = await started;
        assert.match(waysSeen(info), /^The guest finds KVM. While this view is open, calls by VMCALL and VMMCALL/);
        assert.deepEqual(await client.request('ringside/recordCalls', { on: true }), { on: true });
        const waits = printed(client, 'guest: clock waits');
        await client.request('configurationDone');
        await waits;
        await client.request('ringside/stopOn', { stops: ['hypercall kvm 0x9'] });
        await type(client, 'go\n');
        const { threadId = 1 } = await client.stopped();
        assert.match((await topFrame(client, threadId)).name, /^kvm_arch_ptp_init\+/, said());
        assert.deepEqual((await allCalls(client)).records.filter(isOfModule), []);
        const walk = await client.request('ringside/walk', { threadId, address: '&clock_pair_glbl' });
        await client.request('ringside/stopOn', { stops: [] });
        await move(client, 'stepIn', { threadId, granularity: 'instruction' });
        const made = (await allCalls(client)).records.filter(isOfModule);
        assert.ok(walk.result.kind === 'mapped');
        assert.deepEqual(made[0]?.arguments, [
          { name: 'address', value: walk.result.physical },
          { name: 'clock_type', value: '0x0' },
        ]);
        await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'kernel_power_off' }] });
        await move(client, 'continue');
        const { records, ...calls } = await allCalls(client);
        const [first, second, ...more] = records.filter(isOfModule);
        // It was loaded, taken away, and loaded again.
        assert.deepEqual([first, more.length], [made[0], 0]);
        assert.deepEqual([first?.result, second?.result, second?.cpl, second?.abi], ['0x0', '0x0', 0, 'kvm']);
        const [, loaded = said()] = /guest: clock ([0-9a-f]{16})/.exec(said()) ?? [];
        const inside = behindCall(join(files.build, 'ptp_kvm.ko'), 'kvm_arch_ptp_init');
        assert.equal(BigInt(second?.rip ?? 0), BigInt(`0x${loaded}`) + inside);
        assert.equal(calls.symbols[second?.rip ?? '0x0'], `kvm_arch_ptp_init+0x${inside.toString(16)}`);
        // Of what the adapter stops at by itself nothing is to be seen.
        assert.doesNotMatch(said(), /ftrace bug|Call Trace/);
        const own = records.filter((call) => !isOfModule(call));
        assertCarriedOut(own);
        assertPlaced({ ...calls, records: own });
        assert.ok(own.some(({ name }) => name === 'KVM_HC_KICK_CPU'));
      },
    ));
});
