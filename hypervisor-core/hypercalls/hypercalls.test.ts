import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import { type Answer, type CallRegisters, HYPERCALL_STATE_BYTES, type Platform } from './abi.ts';
import { HYPERCALL_PORT, indexedPage } from './hypercall-page.ts';
import { conventionOf, hypercallRecord } from './hypercalls.ts';
import { hyperv } from './hyperv.ts';
import { hypervCalls, hypervStatuses } from './hyperv-calls.ts';
import { kvm } from './kvm.ts';
import { xen } from './xen.ts';
import { XenConsole } from './xen-console.ts';
import { PORT_STATE, XenDomain } from './xen-domain.ts';
import { mmuOperations, xenCalls, xenErrors } from './xen-names.ts';

const none: CallRegisters = {
  rax: 0n,
  rbx: 0n,
  rcx: 0n,
  rdx: 0n,
  rsi: 0n,
  rdi: 0n,
  rbp: 0n,
  r8: 0n,
  r9: 0n,
  r10: 0n,
  longMode: true,
  cpl: 0,
};

/** A machine of two vCPUs whose RAM is one page at 0x1000, mapped there; what it interrupts is listed. */
function machine(content = '', ram = 0x1000n): Platform & { bytes: Buffer; interrupts: [number, number][] } {
  const bytes = Buffer.alloc(4096);
  bytes.write(content, 'latin1');
  const clip = (address: bigint, length: number) => {
    const start = address - ram;
    return start < 0n || start >= 4096n ? bytes.subarray(0, 0) : bytes.subarray(Number(start), Number(start) + length);
  };
  const read = (address: bigint, length: number) => Uint8Array.from(clip(address, length));
  const write = (address: bigint, data: Uint8Array) => {
    const target = clip(address, data.length);
    target.set(data.subarray(0, target.length));
    return target.length;
  };
  const interrupts: [number, number][] = [];
  return {
    bytes,
    interrupts,
    memory: {
      readVirtual: read,
      writeVirtual: write,
      readPhysical: read,
      writePhysical: write,
      changeBits(address, bits, on) {
        const byte = clip(address, 1);
        const before = byte[0];
        if (before !== undefined) byte[0] = on ? before | bits : before & ~bits;
        return before;
      },
    },
    vcpu: 1,
    cpus: 2,
    ram: [{ gpa: 0, size: 64 << 20 }],
    state: new DataView(new ArrayBuffer(HYPERCALL_STATE_BYTES)),
    now: () => 7.5,
    xmm: () => Uint8Array.from({ length: 96 }, (_, index) => index),
    interrupt(vcpu, vector) {
      interrupts.push([vcpu, vector]);
      return true;
    },
  };
}

const signed = (answer: Answer) => BigInt.asIntN(64, answer.result);
const callXen = (registers: Partial<CallRegisters>, platform: Platform = machine()) =>
  xen.answer(xen.decode({ ...none, ...registers }), platform);

describe('Xen answers', () => {
  test('its version, by value and by string', () => {
    assert.equal(callXen({ rax: 17n }).result, 0x4_0011n);
    const memory = machine();
    assert.equal(callXen({ rax: 17n, rdi: 1n, rsi: 0x1000n }, memory).result, 0n);
    assert.match(memory.bytes.toString('latin1', 0, 16), /^\.0-ringside\0+$/);
    assert.equal(callXen({ rax: 17n, rdi: 3n, rsi: 0x1000n }, memory).result, 0n);
    assert.match(memory.bytes.toString('latin1'), /hvm-3\.0-x86_64\0/);
    assert.equal(callXen({ rax: 17n, rdi: 7n }).result, 4096n);
  });

  test('console output', () => {
    const answer = callXen({ rax: 18n, rsi: 6n, rdx: 0x1000n }, machine('hello\n'));
    assert.equal(answer.result, 0n);
    assert.equal(Buffer.from(answer.console!).toString(), 'hello\n');
    assert.equal(answer.text, 'hello\\n');
  });

  test('power-off, reset and crash', () => {
    const reason = (number: number) =>
      callXen({ rax: 29n, rdi: 2n, rsi: 0x1000n }, machine(String.fromCharCode(number)));
    assert.deepEqual([reason(0).end?.cause, reason(0).end?.exitStatus], ['power-off', 0]);
    assert.equal(reason(1).end?.cause, 'reset');
    assert.equal(reason(3).end?.cause, 'error');
    assert.equal(reason(2).end, undefined);
    assert.equal(signed(reason(9)), -22n);
  });

  test('errors for what is unknown, unmapped or not allowed', () => {
    assert.equal(signed(callXen({ rax: 35n })), -38n);
    assert.equal(signed(callXen({ rax: 0xffff_ffff_ffff_ffffn })), -38n);
    assert.equal(signed(callXen({ rax: 17n, cpl: 3 })), -1n);
    assert.equal(signed(callXen({ rax: 17n, rdi: 1n, rsi: 0xdead_0000n })), -14n);
    assert.equal(signed(callXen({ rax: 18n, rsi: 6n, rdx: 0x1ffen })), -14n);
    assert.equal(signed(callXen({ rax: 18n, rsi: 0xffff_ffffn, rdx: 0x1000n })), -22n);
    assert.equal(signed(callXen({ rax: 29n, rdi: 2n, rsi: 0n })), -14n);
  });

  test('32-bit callers use other registers', () => {
    const call = xen.decode({
      ...none,
      rax: 0xffff_0000_0000_0012n,
      rbx: 1n,
      rcx: 2n,
      rdx: 3n,
      rsi: 4n,
      rdi: 5n,
      longMode: false,
    });
    assert.deepEqual([call.number, call.arguments, call.wordBytes], [18n, [1n, 2n, 3n, 4n, 5n], 4]);
  });

  test('nothing throws, whatever the registers are', () => {
    const word = fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.bigInt({ min: 0n, max: 60n }),
      fc.constant(0x1ff8n),
    );
    const registers = fc.record({
      rax: word,
      rbx: word,
      rcx: word,
      rdx: word,
      rsi: word,
      rdi: word,
      rbp: word,
      r8: word,
      r9: word,
      r10: word,
      longMode: fc.boolean(),
      cpl: fc.constantFrom(0, 3),
    });
    fc.assert(
      fc.property(registers, fc.string({ maxLength: 40 }), (values, content) => {
        for (const abi of [xen, kvm, hyperv]) {
          const call = abi.decode(values);
          const { result, text } = abi.answer(call, machine(content));
          assert.ok(result >= 0n && result < 1n << 64n);
          const event = { ...recorded, abi: abi.name, number: call.number, arguments: call.arguments, result };
          assert.ok(abi.describe({ ...event, ...(text !== undefined && { text }) }).name.length > 0);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const recorded: HypercallEvent = {
  time: 10,
  vcpu: 0,
  cpl: 0,
  rip: 0xffff_8000n,
  caller: 0x1234n,
  abi: 'xen',
  number: 18n,
  arguments: [0n, 6n, 0x1000n, 7n, 8n],
  result: 0n,
  duration: 1.5,
  text: 'hello\\n',
};

describe('names', () => {
  test('of a Xen call, its operation, arguments and error', () => {
    assert.deepEqual(hypercallRecord(5, recorded), {
      sequence: 5,
      time: 10,
      vcpu: 0,
      cpl: 0,
      rip: '0xffff8000',
      caller: '0x1234',
      abi: 'xen',
      number: '0x12',
      code: '0x12',
      name: 'console_io: write',
      arguments: [
        { name: 'cmd', value: '0x0', text: 'write' },
        { name: 'count', value: '0x6' },
        { name: 'buffer', value: '0x1000', text: 'hello\\n' },
      ],
      result: '0x0',
      duration: 1.5,
    });
    const { text: _, ...bare } = recorded;
    const failed = hypercallRecord(0, {
      ...bare,
      number: 12n,
      arguments: [0x1009n, 0n],
      result: 0xffff_ffff_ffff_ffdan,
    });
    assert.equal(failed.name, 'memory_op: memory_map');
    assert.equal(failed.resultText, '-ENOSYS');
    assert.equal(hypercallRecord(0, { ...bare, number: 1000n }).name, 'hypercall 1000');
  });

  test('of a Hyper-V call', () => {
    const record = hypercallRecord(0, { ...recorded, abi: 'hyperv', number: 0x3_0001_0002n, result: 0x2_0000_0002n });
    assert.deepEqual([record.number, record.code], ['0x300010002', '0x2']);
    assert.equal(record.name, 'HvCallFlushVirtualAddressSpace');
    assert.equal(record.arguments[0]?.text, 'fast, 3 repetitions');
    assert.equal(record.resultText, 'HV_STATUS_INVALID_HYPERCALL_CODE, 2 of 3 done');
  });

  test('of KVM calls are those of the kernel header', () => {
    const macros = execFileSync('gcc', ['-E', '-dM', '-include', 'linux/kvm_para.h', '-x', 'c', '/dev/null'], {
      encoding: 'utf8',
    });
    const names = [...macros.matchAll(/#define (KVM_HC_\w+) (\d+)/g)];
    assert.ok(names.length >= 12);
    for (const [, name, number] of names) {
      assert.equal(kvm.describe({ ...recorded, abi: 'kvm', number: BigInt(number!) }).name, name);
    }
  });

  const xenHeaders = '/usr/include/xen/xen.h';
  test('of Xen calls are those of Xen’s headers', {
    skip: !existsSync(xenHeaders) && 'libxen-dev is not installed',
  }, () => {
    const headers = [
      'xen',
      'memory',
      'sched',
      'version',
      'vcpu',
      'event_channel',
      'physdev',
      'grant_table',
      'hvm/hvm_op',
      'callback',
    ];
    const includes = headers.flatMap((header) => ['-include', `xen/${header}.h`]);
    // Some names are only for tools, and others only in old versions of the interface, which tools cannot have.
    const macros = ['__XEN_TOOLS__', '__XEN_INTERFACE_VERSION__=0x00040600'].map((define) => {
      const flags = ['-E', '-dM', `-D${define}`, '-include', 'stdint.h'];
      return execFileSync('gcc', [...flags, ...includes, '-x', 'c', '/dev/null'], { encoding: 'utf8' });
    });
    const matches = macros.flatMap((text) => [...text.matchAll(/#define (\w+) +\(?(\d+)\)?$/gm)]);
    const defined = new Map(matches.map((match) => [match[1], Number(match[2])]));
    const prefixes: Record<string, string> = {
      memory_op: 'XENMEM_',
      xen_version: 'XENVER_',
      console_io: 'CONSOLEIO_',
      sched_op: 'SCHEDOP_',
      vcpu_op: 'VCPUOP_',
      event_channel_op: 'EVTCHNOP_',
      physdev_op: 'PHYSDEVOP_',
      grant_table_op: 'GNTTABOP_',
      hvm_op: 'HVMOP_',
      vm_assist: 'VMASST_CMD_',
      set_segment_base: 'SEGBASE_',
      callback_op: 'CALLBACKOP_',
    };
    for (const [number, call] of Object.entries(xenCalls)) {
      assert.equal(defined.get(`__HYPERVISOR_${call.name}`), Number(number), call.name);
      if (!call.operations) continue;
      for (const [operation, name] of Object.entries(call.operations.names)) {
        assert.equal(defined.get(`${prefixes[call.name]}${name}`), Number(operation), `${call.name}: ${name}`);
      }
    }
    for (const [operation, name] of Object.entries(mmuOperations)) {
      assert.equal(defined.get(`MMUEXT_${name}`), Number(operation), name);
    }
    const errors = execFileSync('gcc', ['-E', '-P', '-include', 'xen/errno.h', '-x', 'c', '/dev/null'], {
      encoding: 'utf8',
    });
    for (const [number, name] of Object.entries(xenErrors)) {
      assert.match(errors, new RegExp(`XEN_${name} = ${number},`));
    }
  });
});

describe('Hyper-V answers', () => {
  const FAST = 1n << 16n;
  const call = (rcx: bigint, rdx: bigint, r8: bigint, platform: Platform) =>
    hyperv.answer(hyperv.decode({ ...none, rcx, rdx, r8 }), platform);

  test('interrupts for a mask of processors, and for a sparse set', () => {
    const platform = machine();
    assert.equal(call(0xbn | FAST, 0xf2n, 0b111n, platform).result, 0n);
    assert.deepEqual(platform.interrupts, [
      [0, 0xf2],
      [1, 0xf2],
    ]);
    const sparse = machine();
    // Vector, then format 0 with bank 0 alone, then the bank.
    Buffer.from(BigUint64Array.of(0x40n, 0n, 1n, 2n).buffer).copy(sparse.bytes);
    assert.equal(call(0x15n | (1n << 17n), 0x1000n, 0n, sparse).result, 0n);
    assert.deepEqual(sparse.interrupts, [[1, 0x40]]);
    // The header is too short for the bank, then: all processors.
    assert.equal(call(0x15n, 0x1000n, 0n, sparse).result, 5n);
    sparse.bytes.writeBigUInt64LE(1n, 8);
    assert.equal(call(0x15n, 0x1000n, 0n, sparse).result, 0n);
    assert.equal(sparse.interrupts.length, 3);
  });

  test('in EDX:EAX to 32-bit callers, and #UD to user code', () => {
    assert.deepEqual(hyperv.results(0x2_0000_0005n, false), { rax: 5n, rdx: 2n });
    assert.equal(hyperv.answer({ number: 8n, arguments: [], cpl: 3, wordBytes: 8 }, machine()).exception, 6);
  });

  const sources = '/usr/src';
  const tlfs = (existsSync(sources) ? readdirSync(sources) : [])
    .map((folder) => `${sources}/${folder}/include/asm-generic/hyperv-tlfs.h`)
    .find((file) => existsSync(file));
  test('have the numbers of Linux’s header', { skip: !tlfs && 'no kernel headers are installed' }, () => {
    const header = readFileSync(tlfs ?? '', 'utf8');
    // Linux's short names for what the specification calls otherwise.
    const others: Record<string, string> = {
      SEND_IPI: 'SENDSYNTHETICCLUSTERIPI',
      SEND_IPI_EX: 'SENDSYNTHETICCLUSTERIPIEX',
      RETARGET_INTERRUPT: 'RETARGETDEVICEINTERRUPT',
    };
    const plain = (name: string) => name.replaceAll('_', '').toUpperCase();
    let compared = 0;
    for (const [, name = '', number] of header.matchAll(/#define HVCALL_(\w+)\s+(0x\w+)/g)) {
      const ours = hypervCalls[Number(number)];
      if (!ours) continue;
      assert.equal(plain(ours.name), `HVCALL${plain(others[name] ?? name)}`);
      compared++;
    }
    assert.ok(compared >= 20);
    for (const [, name, number] of header.matchAll(/#define (HV_STATUS_\w+)\s+(\d+)/g)) {
      assert.equal(hypervStatuses[Number(number)], name);
    }
  });
});

describe('Xen’s event channels and console', () => {
  /** A guest whose only page is the console's, which is the shared-info page as well. */
  const CONSOLE = 0x9f000n;
  const word = (platform: { bytes: Buffer }, at: number) => platform.bytes.readUInt32LE(at);

  test('carry what the guest prints, and what is typed', () => {
    const platform = machine('', CONSOLE);
    const console = new XenConsole(platform);
    assert.equal(console.type(Buffer.from('x')), false);
    assert.equal(console.parameter(17), 0x9fn);
    const port = Number(console.parameter(18));
    platform.bytes.write('printed', 1024, 'latin1');
    platform.bytes.writeUInt32LE(7, 3084);
    assert.equal(Buffer.from(console.drain(port)).toString(), 'printed');
    assert.deepEqual([word(platform, 3080), console.drain(port).length], [7, 0]);
    assert.equal(console.type(Buffer.from('typed')), true);
    assert.deepEqual([platform.bytes.toString('latin1', 0, 5), word(platform, 3076)], ['typed', 5]);
    // A guest that claims more than the ring holds, or to have read what was never there.
    platform.bytes.writeUInt32LE(0xffff_ffff, 3084);
    assert.equal(console.drain(port).length, 2048);
    platform.bytes.writeUInt32LE(77, 3072);
    assert.equal(console.type(Buffer.alloc(5000)), true);
  });

  test('tell a vCPU once, and not of what is masked', () => {
    const platform = machine('', CONSOLE);
    const domain = new XenDomain(platform);
    assert.equal(domain.mapSharedInfo(CONSOLE, 8), true);
    domain.setUpcallVector(0, 0xf3);
    const port = domain.allocate(PORT_STATE.ipi, 0, 0) ?? 0;
    domain.raise(port);
    domain.raise(port);
    assert.deepEqual(platform.interrupts, [[0, 0xf3]]);
    assert.deepEqual([platform.bytes[0], platform.bytes[8], platform.bytes[0x800]], [1, 1, 2]);
    platform.bytes.fill(0);
    platform.bytes[0xa00] = 2;
    domain.raise(port);
    assert.equal(platform.interrupts.length, 1);
    domain.unmask(port);
    assert.equal(platform.interrupts.length, 2);
  });
});

describe('hypercall pages and MSRs', () => {
  /** Instructions of a page as objdump sees them. */
  const disassemble = (bytes: Uint8Array) =>
    execFileSync(
      'sh',
      ['-c', 'f=$(mktemp); cat > $f; objdump -D -b binary -m i386:x86-64 --no-show-raw-insn $f; rm $f'],
      {
        input: bytes,
        encoding: 'utf8',
      },
    );

  test('Xen: 128 entries of 32 bytes', () => {
    const text = disassemble(indexedPage([23]));
    const at = (address: string) => new RegExp(`^ +${address}:\\s+(.*?)\\s*$`, 'm').exec(text)?.[1];
    const port = `0x${HYPERCALL_PORT.toString(16)}`;
    assert.deepEqual([at('240'), at('245'), at('247')], ['mov    $0x12,%eax', `out    %al,$${port}`, 'ret']);
    assert.equal(at('2e0'), 'ud2');
    assert.equal(at('fe0'), 'mov    $0x7f,%eax');
  });

  test('Xen fills the page that the guest names', () => {
    const xenMachine = machine();
    const MSR = 0x4000_0000;
    assert.equal(xen.writeMsr(MSR, 0x1000n, xenMachine), true);
    assert.deepEqual(xenMachine.bytes, Buffer.from(indexedPage([23])));
    assert.equal(xen.writeMsr(MSR, 0x1001n, xenMachine), false);
    assert.equal(xen.writeMsr(MSR, 0x5000n, xenMachine), false);
    assert.equal(xen.writeMsr(MSR + 1, 0x1000n, xenMachine), false);
    assert.equal(xen.readMsr(MSR, xenMachine), undefined);
  });

  test('Hyper-V wants the guest OS id first, and keeps a locked page', () => {
    const platform = machine();
    const write = (index: number, value: bigint) => hyperv.writeMsr(index, value, platform);
    const read = (index: number) => hyperv.readMsr(index, platform);
    assert.equal(write(0x4000_0001, 0x1001n), true);
    assert.equal(read(0x4000_0001), 0x1000n);
    assert.equal(platform.bytes[0], 0);
    write(0x4000_0000, 0x8100n);
    assert.equal(write(0x4000_0001, 0x5001n), false);
    assert.equal(write(0x4000_0001, 0x1003n), true);
    assert.deepEqual([...platform.bytes.subarray(0, 3)], [0xe6, HYPERCALL_PORT, 0xc3]);
    write(0x4000_0001, 0x6001n);
    assert.deepEqual([read(0x4000_0000), read(0x4000_0001), read(0x4000_0002)], [0x8100n, 0x1003n, 1n]);
    assert.equal(read(0x4000_0020), 75n);
    assert.equal(read(0x4000_0003), undefined);
  });

  test('nothing throws, whatever is written to whichever MSR', () => {
    const msr = fc.integer({ min: 0x4000_0000, max: 0x4000_01ff });
    const value = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.constantFrom(0x1000n, 0x1001n, 1n, 3n));
    fc.assert(
      fc.property(fc.array(fc.tuple(msr, value), { maxLength: 8 }), (writes) => {
        for (const abi of [xen, kvm, hyperv]) {
          const platform = machine();
          for (const [index, written] of writes) {
            abi.writeMsr(index, written, platform);
            const read = abi.readMsr(index, platform);
            assert.ok(read === undefined || (read >= 0n && read < 1n << 64n));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('CPUID spells the signatures', () => {
    const text = (leaf?: { ebx: number; ecx: number; edx: number }) =>
      Buffer.from(Uint32Array.of(leaf?.ebx ?? 0, leaf?.ecx ?? 0, leaf?.edx ?? 0).buffer).toString();
    assert.equal(text(xen.cpuid(0, { hypervMsrs: false })[0]), 'XenVMMXenVMM');
    assert.equal(text(hyperv.cpuid(0, { hypervMsrs: true })[0]), 'Microsoft Hv');
    assert.equal(conventionOf('none'), undefined);
    assert.equal(conventionOf('xen'), xen);
  });
});
