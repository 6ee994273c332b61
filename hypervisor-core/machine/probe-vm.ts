/**
 * A machine of 4 MiB for the host probe: one vCPU in long mode with the first 2 MiB mapped at 0 for everybody, an IDT
 * whose handlers tell their vector at a port, and a few bytes of code. No workers: the calling thread runs it.
 */

import type { InitialCpu } from '../boot/boot-image.ts';
import { VCPU_EVENTS } from '../interrupts/vcpu-events.ts';
import { KVM, OFFSET } from '../kvm/abi.ts';
import { KickReceiver } from '../kvm/kick.ts';
import type { CpuidEntry, Kvm } from '../kvm/kvm.ts';
import { allocateRunPages, mapRunPage, RUN_PAGE_STRIDE, RunPage, unmapRunPage } from '../kvm/run-page.ts';
import { type GuestDebug, KvmVcpu, runVcpu } from '../kvm/vcpu.ts';
import { KvmVm } from '../kvm/vm.ts';
import { GuestRam } from './guest-ram.ts';
import { loadInitialState } from './initial-state.ts';

const RAM = 4 << 20;
const TABLES = 0x1000;
export const GDT = 0x5000;
const TSS = 0x6000;
const IDT = 0x7000;
const HANDLERS = 0x10000;
const HANDLER_BYTES = 8;
const VECTORS = 32;
export const CODE = 0x20000;
export const DATA = 0x30000;
export const STACK = 0x80000;
const VECTOR_PORT = 0xf0;
const DONE_PORT = 0x99;
/** out DONE_PORT, al: the end of a probe's code. */
export const DONE = [0xe6, DONE_PORT];

/** Milliseconds, and how many of them RIP may stand still. Every probe that ends does so in microseconds. */
const HEARTBEAT = 10;
const LEAST_BEATS = 3;
const WARM_UP_BEATS = 100;

/** How a run of the probe's guest ended. */
export type ProbeExit =
  | { readonly kind: 'port'; readonly port: number }
  /** The guest took an exception or interrupt. */
  | { readonly kind: 'vector'; readonly vector: number }
  | { readonly kind: 'debug'; readonly exception: number; readonly pc: bigint }
  | { readonly kind: 'mmio-write'; readonly gpa: number }
  | { readonly kind: 'emulation-failure' }
  /** It was still running after the time given. */
  | { readonly kind: 'spinning' }
  | { readonly kind: 'other'; readonly reason: number };

/** True when the code came to {@link DONE}. */
export const done = (exit: ProbeExit) => exit.kind === 'port' && exit.port === DONE_PORT;

const words = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);

export class ProbeVm {
  readonly ram: GuestRam;
  readonly vm: KvmVm;
  readonly vcpu: KvmVcpu;
  readonly #page: RunPage;
  readonly #memory: SharedArrayBuffer;
  readonly #runBytes: number;
  readonly #kicks: KickReceiver;
  #patience = LEAST_BEATS;
  /** Heartbeats that the last run took. */
  #beats = 0;

  constructor(kvm: Kvm, cpuid: readonly CpuidEntry[]) {
    this.ram = new GuestRam({ ramSize: RAM, romSize: 0, framebufferSize: 0 });
    this.vm = new KvmVm(kvm);
    this.vm.createChips();
    this.vm.setMemorySlot({ slot: 0, gpa: 0, size: RAM, hva: this.ram.address, readOnly: false });
    this.vcpu = KvmVcpu.create(this.vm, 0);
    this.vcpu.setCpuid(cpuid);
    this.#runBytes = kvm.runBytes;
    this.#memory = allocateRunPages(1);
    mapRunPage(this.#memory, 0, this.vcpu.fd, this.#runBytes);
    this.#page = new RunPage(this.#memory, 0, Math.min(this.#runBytes, RUN_PAGE_STRIDE));
    this.#kicks = new KickReceiver(this.vcpu.fd, HEARTBEAT);
    this.#writeTables();
  }

  /** A general register now. */
  register(name: keyof typeof OFFSET.kvm_regs): bigint {
    return this.vcpu.get('regs').getBigUint64(OFFSET.kvm_regs[name], true);
  }

  get pc(): bigint {
    return this.register('rip');
  }

  /** Puts the vCPU before `code` in long mode at CPL 0 or 3, with `data` ready at {@link DATA}. */
  prepare(code: readonly number[], cpl: 0 | 3): void {
    const user = cpl === 3;
    const flat = { base: 0n, limit: 0xffff_ffff, s: 1, dpl: cpl, present: 1, g: 1 };
    const data = { ...flat, selector: user ? 0x1b : 0x10, type: 3, l: 0, db: 1 };
    const system = { base: 0n, limit: 0, s: 0, dpl: 0, present: 1, l: 0, db: 0, g: 0 };
    this.load(code, {
      mode: 'long',
      // IOPL 3, so that CPL 3 may use ports; the TSS's I/O map, made of its own zeros, says the same.
      general: { rip: BigInt(CODE), rsp: BigInt(STACK), rflags: 0x3002n, rbx: BigInt(DATA), rdx: 0x55n },
      segments: {
        cs: { ...flat, selector: user ? 0x23 : 0x08, type: 11, l: 1, db: 0 },
        ...{ ds: data, es: data, fs: data, gs: data, ss: data },
        tr: { ...system, selector: 0x28, base: BigInt(TSS), limit: 0x67, type: 11 },
        ldt: { ...system, selector: 0, type: 2 },
      },
      gdt: { base: BigInt(GDT), limit: 0x37 },
      idt: { base: BigInt(IDT), limit: VECTORS * 16 - 1 },
      cr0: 0x8000_0033n,
      cr3: BigInt(TABLES),
      cr4: 0x620n,
      efer: 0xd00n,
    });
  }

  /** Puts the vCPU before `code`, which {@link CODE} gets, with this state and nothing of what was before. */
  load(code: readonly number[], cpu: InitialCpu): void {
    this.ram.write(CODE, Uint8Array.from(code));
    loadInitialState(this.vcpu, cpu);
    const events = this.vcpu.get('vcpu_events');
    events.setBigUint64(VCPU_EVENTS['exception.injected'], 0n, true);
    this.vcpu.set('vcpu_events', events);
    this.setDebug({ control: 0, addresses: [], dr7: 0x400n });
  }

  setDebug(debug: GuestDebug): void {
    this.vcpu.setGuestDebug(debug);
  }

  /** Runs code that is known to end, and learns from it how much patience a host as slow as this one needs. */
  warmUp(): void {
    this.#patience = WARM_UP_BEATS;
    this.run();
    this.#patience = LEAST_BEATS + 10 * this.#beats;
  }

  /** Runs to the first exit, or until RIP has stood still for too many heartbeats. */
  run(): ProbeExit {
    let last = -1n;
    this.#beats = 0;
    for (let still = 0; still < this.#patience; this.#beats++) {
      if (runVcpu(this.vcpu.fd) === 0) return this.#exit();
      this.#kicks.take();
      const { pc } = this;
      still = pc === last ? still + 1 : 1;
      last = pc;
    }
    return { kind: 'spinning' };
  }

  close(): void {
    this.#kicks.dispose();
    unmapRunPage(this.#memory, 0, this.#runBytes);
    this.vcpu.close();
    this.vm.close();
    this.ram.close();
  }

  #exit(): ProbeExit {
    const reason = this.#page.exitReason;
    if (reason === KVM.EXIT_IO) {
      const { port, data, write } = this.#page.portAccess();
      const exit: ProbeExit =
        port === VECTOR_PORT && write ? { kind: 'vector', vector: data.getUint8(0) } : { kind: 'port', port };
      this.#complete();
      return exit;
    }
    if (reason === KVM.EXIT_DEBUG) return { kind: 'debug', ...this.#page.debugExit() };
    if (reason === KVM.EXIT_MMIO) {
      const { gpa, write } = this.#page.mmioAccess();
      this.#complete();
      return write ? { kind: 'mmio-write', gpa } : { kind: 'other', reason };
    }
    return reason === KVM.EXIT_INTERNAL_ERROR ? { kind: 'emulation-failure' } : { kind: 'other', reason };
  }

  /** Has KVM finish the access, so that the vCPU can be given another state. */
  #complete(): void {
    this.#page.immediateExit = true;
    runVcpu(this.vcpu.fd);
    this.#page.immediateExit = false;
    this.#kicks.take();
  }

  #writeTables(): void {
    const USER_WRITABLE_PRESENT = 7n;
    const LARGE = 0x80n;
    this.ram.write(TABLES, words(BigInt(TABLES + 0x1000) | USER_WRITABLE_PRESENT));
    this.ram.write(TABLES + 0x1000, words(BigInt(TABLES + 0x2000) | USER_WRITABLE_PRESENT));
    this.ram.write(TABLES + 0x2000, words(USER_WRITABLE_PRESENT | LARGE));
    const tss = 0x0000_8b00_0000_0067n | (BigInt(TSS) << 16n);
    this.ram.write(
      GDT,
      words(
        0n,
        0x00af_9b00_0000_ffffn,
        0x00cf_9300_0000_ffffn,
        0x00cf_f300_0000_ffffn,
        0x00af_fb00_0000_ffffn,
        tss,
        0n,
      ),
    );
    this.ram.write(TSS + 4, words(BigInt(STACK + 0x8000)));
    for (let vector = 0; vector < VECTORS; vector++) {
      const handler = HANDLERS + vector * HANDLER_BYTES;
      // mov al, vector; out VECTOR_PORT, al; hlt
      this.ram.write(handler, Uint8Array.of(0xb0, vector, 0xe6, VECTOR_PORT, 0xf4));
      const INTERRUPT_GATE_DPL_3 = 0xeen;
      const low = BigInt(handler & 0xffff) | (0x08n << 16n) | (INTERRUPT_GATE_DPL_3 << 40n);
      this.ram.write(IDT + vector * 16, words(low | (BigInt(handler >>> 16) << 48n), 0n));
    }
  }
}
