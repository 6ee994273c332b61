/** Answers hypercalls on the vCPU's worker: calls through the hypercall page, and the MSRs that place it. */
import type { Call, CallRegisters, GuestMemory, HypercallAbi } from '../hypercalls/abi.ts';
import { readHypercallMsr, writeHypercallMsr } from '../hypercalls/hypercall-msrs.ts';
import { conventionOf } from '../hypercalls/hypercalls.ts';
import { OFFSET } from '../kvm/abi.ts';
import type { RunPage } from '../kvm/run-page.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';
import type { GuestEnd, Personality } from '../protocol/inspect.ts';
import type { HypercallRing } from '../trace/hypercall-ring.ts';
import type { ConsoleRing } from './console-ring.ts';
import type { GuestClock } from './guest-clock.ts';
import type { RamFile } from './guest-ram.ts';
import { walkPages } from './page-runs.ts';
import type { SharedLock } from './shared-lock.ts';

/** `out imm8, al`: what a hypercall page calls us by. */
const OUT_IMM8 = 0xe6;
const OUT_BYTES = 2n;
const { cs, ss } = OFFSET.kvm_sregs;
const { l, dpl } = OFFSET.kvm_segment;

export interface HypercallParts {
  readonly personality: Personality;
  readonly vcpu: KvmVcpu;
  readonly page: RunPage;
  readonly ram: RamFile;
  readonly clock: GuestClock;
  readonly console: ConsoleRing | undefined;
  readonly ring: HypercallRing;
  readonly msrs: DataView;
  /** The devices' lock, which the MSR state and the console are under. */
  readonly lock: SharedLock;
  readonly events: { transmitted(): void; recorded(): void; ended(end: GuestEnd): void };
}

export class HypercallServer {
  readonly #parts: HypercallParts;
  readonly #convention: HypercallAbi | undefined;
  readonly #memory: GuestMemory;

  constructor(parts: HypercallParts) {
    this.#parts = parts;
    this.#convention = conventionOf(parts.personality);
    const translate = (gva: bigint) => parts.vcpu.translate(gva);
    this.#memory = {
      readVirtual: (gva, length) => {
        const pieces: Uint8Array[] = [];
        walkPages(translate, gva, length, (gpa, size) => {
          const bytes = parts.ram.read(gpa, size);
          pieces.push(bytes);
          return bytes.length;
        });
        return Uint8Array.from(Buffer.concat(pieces));
      },
      writeVirtual: (gva, bytes) => {
        let done = 0;
        walkPages(translate, gva, bytes.length, (gpa, size) => {
          const written = parts.ram.write(gpa, bytes.subarray(done, done + size));
          done += written;
          return written;
        });
        return done;
      },
    };
  }

  /** Carries out the call of the port exit at hand; false when this guest has no such calls. */
  call(): boolean {
    const convention = this.#convention;
    if (!convention) return false;
    const { page, vcpu, clock, ring, events } = this.#parts;
    const started = process.hrtime.bigint();
    const time = clock.now();
    const registers = this.#registers();
    const call = convention.decode(registers);
    const answer = convention.answer(call, this.#memory);
    if (answer.console) this.#print(answer.console);
    if (answer.end) events.ended(answer.end);
    page.setRegister('rax', answer.result);
    const rip = this.#after();
    const caller = this.#caller(registers);
    const announce = ring.add({
      time,
      duration: Number(process.hrtime.bigint() - started) / 1000,
      vcpu: vcpu.index,
      cpl: registers.cpl,
      rip,
      ...(caller !== undefined && { caller }),
      abi: convention.name,
      ...numbers(call),
      result: answer.result,
      ...(answer.text !== undefined && { text: answer.text }),
    });
    if (announce) events.recorded();
    return true;
  }

  /** Answers KVM_EXIT_X86_RDMSR. */
  readMsr(): void {
    const { page, personality, msrs, lock, vcpu } = this.#parts;
    const value = lock.hold(() => readHypercallMsr(personality, msrs, page.msrIndex, vcpu.index));
    page.msrError = value === undefined;
    if (value !== undefined) page.msrData = value;
  }

  /** Answers KVM_EXIT_X86_WRMSR. */
  writeMsr(): void {
    const { page, personality, msrs, lock, ram } = this.#parts;
    const effect = lock.hold(() => writeHypercallMsr(personality, msrs, page.msrIndex, page.msrData));
    page.msrError = effect === undefined;
    if (effect?.fill) ram.write(Number(effect.fill.gpa), effect.fill.bytes);
  }

  #registers(): CallRegisters {
    const { page, vcpu } = this.#parts;
    const sregs = vcpu.get('sregs');
    const general = (['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'r8', 'r9', 'r10'] as const).map(
      (name) => [name, page.register(name)] as const,
    );
    return {
      ...(Object.fromEntries(general) as Omit<CallRegisters, 'longMode' | 'cpl'>),
      longMode: sregs.getUint8(cs + l) !== 0,
      cpl: sregs.getUint8(ss + dpl),
    };
  }

  /** The instruction after the OUT. Some KVMs have moved RIP past it when they exit, others do at the next entry. */
  #after(): bigint {
    const rip = this.#parts.page.register('rip');
    return this.#memory.readVirtual(rip, 1)[0] === OUT_IMM8 ? rip + OUT_BYTES : rip;
  }

  /** The page's entries end in RET: the caller's address is on top of the stack. */
  #caller({ longMode }: CallRegisters): bigint | undefined {
    const bytes = this.#memory.readVirtual(this.#parts.page.register('rsp'), longMode ? 8 : 4);
    if (bytes.length < (longMode ? 8 : 4)) return undefined;
    return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  #print(bytes: Uint8Array): void {
    const { lock, console, events } = this.#parts;
    lock.hold(() => {
      for (const byte of bytes) if (console?.put(byte)) events.transmitted();
    });
  }
}

const numbers = ({ number, arguments: values }: Call) => ({ number, arguments: values });
