/** Debian's Linux as a guest of KVM: the calls that it makes by instructions that it has patched, and where they are in its code. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import type { HypercallRecord, RingsideEvents } from '../../debug-adapter/protocol/custom.ts';
import { waysSeen } from '../../extension/novsc/hypercall-ways.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { launch, runToStop, withAdapter } from '../adapter/driving.ts';
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

describe('Debian’s Linux as a guest of KVM', { timeout: patience(LONGEST) }, () => {
  test('has the calls of its kernel listed, by the instructions that it patched, with their names in its code', () =>
    withAdapter(
      () => coreAdapter({ longest: LONGEST }),
      async (client) => {
        const started = client.event<RingsideEvents['ringside/started']>('ringside/started');
        await launch(client, {
          ...{ program: debianByPvh.kernel, boot: 'pvh', symbols: files.symbols, initrd: debian.initramfs },
          ...{ args: COMMAND_LINE, memory: '512M', cpus: CPUS, personality: 'kvm', cpu: { hide: HIDDEN } },
        });
        const { info } = await started;
        assert.ok(info.callSites > 0);
        assert.match(
          waysSeen(info),
          new RegExp(`^The guest finds KVM. Calls by the ${info.callSites} VMCALL and VMMCALL`),
        );
        await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'kernel_power_off' }] });
        await runToStop(client);
        const { records, symbols } = await client.request('ringside/hypercalls', { from: 0, limit: 10_000 });
        for (const call of records) {
          const { abi, cpl, caller, name, result = '' } = call;
          assert.deepEqual([abi, cpl, caller], ['kvm', 0, undefined]);
          assert.equal(BigInt(result), resultOf(call), JSON.stringify(call));
          if (name === 'KVM_HC_KICK_CPU') assert.equal(values(call)[0], 0n);
          const apicId = name === 'KVM_HC_KICK_CPU' ? values(call)[1] : values(call)[0];
          if (name !== 'KVM_HC_SEND_IPI') assert.ok(apicId !== undefined && apicId < CPUS, JSON.stringify(call));
        }
        const places = [...new Map(records.map(({ rip, name }) => [rip, name]))];
        const rips = places.map(([rip]) => BigInt(rip));
        assert.deepEqual(
          places.map(([rip]) => symbols[rip]),
          namedByNm(rips),
        );
        for (const [rip, name] of places) assert.equal(symbols[rip]?.replace(/\+.*/, ''), MADE_BY[name], name);
        for (const rip of rips) assert.equal(before(rip), 'vmcall');
        // Spinlocks of four processors wait for each other before there is a first process.
        assert.ok(places.some(([, name]) => name === 'KVM_HC_KICK_CPU'));
      },
    ));
});
