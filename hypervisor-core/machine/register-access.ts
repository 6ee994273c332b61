/**
 * Registers of a stopped vCPU by the names of the target description, each a field of one of KVM's state structures.
 * Structures are fetched at first use and written back at once; {@link RegisterAccess.forget} when they change otherwise.
 */
import { OFFSET } from '../kvm/abi.ts';
import type { RunPage } from '../kvm/run-page.ts';
import type { KvmVcpu, StateName } from '../kvm/vcpu.ts';
import type { PagingState } from '../paging/paging-mode.ts';
import { registersByName } from '../protocol/target-description.ts';
import type { VcpuRegisters } from './api.ts';
import {
  markPresent,
  packAccessRights,
  packTag,
  unpackAccessRights,
  unpackTag,
  XSAVE,
  XSTATE,
} from './register-formats.ts';

const MSR_KERNEL_GS_BASE = 0xc000_0102;
const KVM_SEGMENT_NAMES: Readonly<Record<string, keyof typeof OFFSET.kvm_sregs>> = { ldtr: 'ldt' };

/** How one register is read from and written to the structures. Values are unsigned. */
interface Field {
  get(access: RegisterAccess): bigint;
  set(access: RegisterAccess, value: bigint): void;
}

export class RegisterAccess implements VcpuRegisters {
  readonly vcpu: KvmVcpu;
  readonly #states = new Map<StateName, DataView>();
  /** Where KVM left copies when the vCPU came out of the guest, for as long as they are true. */
  #copies: RunPage | undefined;

  constructor(vcpu: KvmVcpu) {
    this.vcpu = vcpu;
  }

  forget(): void {
    this.#states.clear();
    this.#copies = undefined;
  }

  /** To be told when the vCPU has just come out of the guest: copies in `page` save calls into KVM. */
  cameOut(page: RunPage): void {
    this.forget();
    this.#copies = page;
  }

  read(name: string): Uint8Array {
    const bytes = new Uint8Array(width(name));
    let value = this.get(name);
    if (bytes.length === 8) {
      new DataView(bytes.buffer).setBigUint64(0, value, true);
      return bytes;
    }
    for (let at = 0; at < bytes.length; at++, value >>= 8n) bytes[at] = Number(value & 0xffn);
    return bytes;
  }

  write(name: string, value: Uint8Array): void {
    if (value.length !== width(name)) throw new RangeError(`${name} has ${width(name)} bytes, not ${value.length}`);
    this.put(
      name,
      value.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
    );
  }

  /** Value of a register as an unsigned number. */
  get(name: string): bigint {
    return field(name).get(this);
  }

  /** What paging depends on. */
  get paging(): PagingState {
    return { cr0: this.get('cr0'), cr3: this.get('cr3'), cr4: this.get('cr4'), efer: this.get('efer') };
  }

  put(name: string, value: bigint): void {
    field(name).set(this, value);
  }

  /** A state structure, to be read. */
  state(name: StateName): DataView {
    const known = this.#states.get(name);
    if (known) return known;
    const copied = name === 'regs' || name === 'sregs' ? this.#copies?.copy(name) : undefined;
    const fetched = copied ?? this.vcpu.get(name);
    this.#states.set(name, fetched);
    return fetched;
  }

  /** Changes a state structure and gives it to KVM; what KVM refuses is forgotten. */
  change(name: StateName, edit: (state: DataView) => void): void {
    const state = this.state(name);
    try {
      edit(state);
      if (name === 'xsave') markPresent(state, XSTATE.x87AndSse);
      this.vcpu.set(name, state);
    } catch (error) {
      this.#states.delete(name);
      throw error;
    }
  }
}

function width(name: string): number {
  const register = registersByName.get(name);
  if (!register) throw new RangeError(`there is no register ${name}`);
  return register.bits / 8;
}

function field(name: string): Field {
  const found = fields.get(name);
  if (!found) throw new RangeError(`there is no register ${name}`);
  return found;
}

/** `bytes` little-endian bytes at `offset` of a structure. */
function plain(state: StateName, offset: number, bytes: number): Field {
  return {
    get: (access) => {
      const view = access.state(state);
      if (bytes === 8) return view.getBigUint64(offset, true);
      let value = 0n;
      for (let at = bytes - 1; at >= 0; at--) value = (value << 8n) | BigInt(view.getUint8(offset + at));
      return value;
    },
    set: (access, value) =>
      access.change(state, (view) => {
        for (let at = 0; at < bytes; at++) view.setUint8(offset + at, Number((value >> BigInt(8 * at)) & 0xffn));
      }),
  };
}

function segmentFields(name: string): [string, Field][] {
  const start = OFFSET.kvm_sregs[KVM_SEGMENT_NAMES[name] ?? (name as keyof typeof OFFSET.kvm_sregs)];
  const at = OFFSET.kvm_segment;
  const attributes: Field = {
    get: (access) => BigInt(packAccessRights(access.state('sregs'), start)),
    set: (access, value) => access.change('sregs', (view) => unpackAccessRights(view, start, Number(value))),
  };
  return [
    [name, plain('sregs', start + at.selector, 2)],
    [`${name}_base`, plain('sregs', start + at.base, 8)],
    [`${name}_limit`, plain('sregs', start + at.limit, 4)],
    [`${name}_attr`, attributes],
  ];
}

function tableFields(name: string, start: number): [string, Field][] {
  return [
    [`${name}_base`, plain('sregs', start + OFFSET.kvm_dtable.base, 8)],
    [`${name}_limit`, plain('sregs', start + OFFSET.kvm_dtable.limit, 2)],
  ];
}

/** The processor keeps one bit a register, "not empty"; the target description has the full tag word. */
const tagWord: Field = {
  get: (access) => BigInt(unpackTag(access.state('xsave'))),
  set: (access, value) => access.change('xsave', (view) => view.setUint8(XSAVE.ftw, packTag(Number(value)))),
};

/** The upper half of a YMM register: zero, and not to be written, where the guest's processor has none. */
function upperHalf(number: number): Field {
  const half = plain('xsave', XSAVE.ymmHigh + 16 * number, 16);
  return {
    get: (access) => half.get(access),
    set: (access, value) => {
      if (value === half.get(access)) return;
      markPresent(access.state('xsave'), XSTATE.avx);
      half.set(access, value);
    },
  };
}

const kernelGsBase: Field = {
  get: ({ vcpu }) => vcpu.msrs([MSR_KERNEL_GS_BASE])[0] ?? 0n,
  set: ({ vcpu }, value) => {
    if (!vcpu.setMsr(MSR_KERNEL_GS_BASE, value)) throw new RangeError('KVM refuses this value for k_gs_base');
  },
};

const sregs = OFFSET.kvm_sregs;
const fields: ReadonlyMap<string, Field> = new Map<string, Field>([
  ...Object.entries(OFFSET.kvm_regs)
    .filter(([name]) => name !== 'rflags')
    .map(([name, offset]): [string, Field] => [name, plain('regs', offset, 8)]),
  ['eflags', plain('regs', OFFSET.kvm_regs.rflags, 4)],
  ...['cs', 'ss', 'ds', 'es', 'fs', 'gs', 'ldtr', 'tr'].flatMap(segmentFields),
  ...tableFields('gdtr', sregs.gdt),
  ...tableFields('idtr', sregs.idt),
  ...(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const).map((name): [string, Field] => [
    name,
    plain('sregs', sregs[name], 8),
  ]),
  ['k_gs_base', kernelGsBase],
  ...Array.from({ length: 8 }, (_, n): [string, Field] => [`st${n}`, plain('xsave', XSAVE.st + 16 * n, 10)]),
  ['fctrl', plain('xsave', XSAVE.fcw, 2)],
  ['fstat', plain('xsave', XSAVE.fsw, 2)],
  ['ftag', tagWord],
  // In 64-bit mode the x87 keeps whole addresses; the description's 32-bit pairs hold their halves, as in QEMU's stub.
  ['fiseg', plain('xsave', XSAVE.fip + 4, 4)],
  ['fioff', plain('xsave', XSAVE.fip, 4)],
  ['foseg', plain('xsave', XSAVE.fdp + 4, 4)],
  ['fooff', plain('xsave', XSAVE.fdp, 4)],
  ['fop', plain('xsave', XSAVE.fop, 2)],
  ...Array.from({ length: 16 }, (_, n): [string, Field] => [`xmm${n}`, plain('xsave', XSAVE.xmm + 16 * n, 16)]),
  ...Array.from({ length: 16 }, (_, n): [string, Field] => [`ymm${n}h`, upperHalf(n)]),
  ['mxcsr', plain('xsave', XSAVE.mxcsr, 4)],
  ...[0, 1, 2, 3].map((n): [string, Field] => [`dr${n}`, plain('debugregs', OFFSET.kvm_debugregs.db + 8 * n, 8)]),
  ['dr6', plain('debugregs', OFFSET.kvm_debugregs.dr6, 8)],
  ['dr7', plain('debugregs', OFFSET.kvm_debugregs.dr7, 8)],
  ['xcr0', plain('xcrs', OFFSET.kvm_xcrs.xcrs + OFFSET.kvm_xcr.value, 8)],
]);
