/** Answers calls of BIOS services on the vCPU's worker: the ROM's entries leave the guest by an OUT (devices/bios/rom.ts). */
import { BiosCall, type BiosHost, FLAG, REGISTER_BYTES } from '../devices/bios/call.ts';
import { KEYBOARD, ROM_SEGMENT } from '../devices/bios/layout.ts';
import { interruptAt } from '../devices/bios/rom.ts';
import { services } from '../devices/bios/services.ts';
import { OFFSET } from '../kvm/abi.ts';
import type { RunPage } from '../kvm/run-page.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';
import type { ConsoleRing } from './console-ring.ts';
import type { GuestClock } from './guest-clock.ts';
import type { RamFile } from './guest-ram.ts';
import type { SharedLock } from './shared-lock.ts';

export interface BiosParts {
  readonly vcpu: KvmVcpu;
  readonly page: RunPage;
  readonly ram: RamFile;
  readonly clock: GuestClock;
  readonly console: ConsoleRing | undefined;
  /** The devices' lock, which the console is under. */
  readonly lock: SharedLock;
  readonly events: { transmitted(): void };
}

/** In the order of {@link BiosCall.registers}. */
const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp'] as const;
const LOW_HALF = 0xffff_ffffn;
const CR0_PE = 1n;
const { kvm_sregs: SREGS, kvm_segment: SEGMENT } = OFFSET;

export class BiosServer {
  readonly #parts: BiosParts;
  readonly #host: BiosHost;

  constructor(parts: BiosParts) {
    const { ram, clock, console, events } = parts;
    this.#parts = parts;
    this.#host = {
      memory: ram,
      transmit: (byte) => {
        if (console?.put(byte)) events.transmitted();
      },
      now: () => clock.now(),
      clock: Date.now,
    };
  }

  /** Carries out the call of the port exit at hand; false when it is none. */
  call(): boolean {
    const { vcpu, page, lock } = this.#parts;
    const sregs = vcpu.get('sregs');
    const base = (name: 'cs' | 'ds' | 'es' | 'ss') => Number(sregs.getBigUint64(SREGS[name] + SEGMENT.base, true));
    const real = (sregs.getBigUint64(SREGS.cr0, true) & CR0_PE) === 0n;
    const vector = interruptAt(Number(page.register('rip') & 0xffffn));
    const service = vector === undefined ? undefined : services.get(vector);
    if (!real || base('cs') !== ROM_SEGMENT << 4 || !service) return false;
    // IP, CS and flags of the caller; the keyboard's interrupt has saved something before it calls, and has no answer.
    const flagsAt = base('ss') + ((Number(page.register('rsp') & 0xffffn) + 4) & 0xffff);
    const registers = new DataView(new ArrayBuffer(REGISTER_BYTES));
    for (const [index, name] of REGISTERS.entries()) {
      registers.setUint32(4 * index, Number(page.register(name) & LOW_HALF), true);
    }
    const flags = this.#parts.ram.read(flagsAt, 1)[0] ?? 0;
    const call = new BiosCall(registers, { ds: base('ds'), es: base('es'), flags }, this.#host);
    lock.hold(() => service(call));
    for (const [index, name] of REGISTERS.entries()) {
      page.setRegister(name, (page.register(name) & ~LOW_HALF) | BigInt(registers.getUint32(4 * index, true)));
    }
    if (vector === KEYBOARD) return true;
    const carry = BigInt(FLAG.carry);
    const own = page.register('rflags') & ~carry;
    page.setRegister('rflags', call.waits ? own | carry : own);
    if (!call.waits) this.#parts.ram.write(flagsAt, Uint8Array.of(call.flags));
    if (call.newEs !== undefined) {
      sregs.setUint16(SREGS.es + SEGMENT.selector, call.newEs, true);
      sregs.setBigUint64(SREGS.es + SEGMENT.base, BigInt(call.newEs) << 4n, true);
      vcpu.set('sregs', sregs);
    }
    return true;
  }
}
