/** Answers hypercalls on the vCPU's worker: calls through the hypercall page, and the MSRs that place it. */
import type { Answer, Call, CallRegisters, HypercallAbi, Platform } from '../hypercalls/abi.ts';
import { conventionOf } from '../hypercalls/hypercalls.ts';
import type { RunPage } from '../kvm/run-page.ts';
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import type { GuestEnd, Personality } from '../protocol/inspect.ts';
import type { HypercallRing } from '../trace/hypercall-ring.ts';
import { callRegisters } from './call-registers.ts';
import type { ConsoleRing } from './console-ring.ts';
import { injectException } from './guest-events.ts';
import { type PlatformParts, platformOf } from './hypercall-platform.ts';
import type { SharedLock } from './shared-lock.ts';

/** `out imm8, al`: what a hypercall page calls us by. */
const OUT_IMM8 = 0xe6;
const OUT_BYTES = 2n;
/** What follows the OUT of a call site (machine/call-sites.ts); in a page, it is a return. */
const NOP = 0x90;

export interface HypercallParts extends PlatformParts {
  readonly personality: Personality;
  readonly page: RunPage;
  readonly console: ConsoleRing | undefined;
  readonly ring: HypercallRing;
  /** The devices' lock, which the state and the console are under. */
  readonly lock: SharedLock;
  readonly events: { transmitted(): void; ended(end: GuestEnd): void };
}

export class HypercallServer {
  readonly #parts: HypercallParts;
  readonly #convention: HypercallAbi | undefined;
  readonly #platform: Platform;

  constructor(parts: HypercallParts) {
    this.#parts = parts;
    this.#convention = conventionOf(parts.personality);
    this.#platform = platformOf(parts);
  }

  /** Carries out the call of the port exit at hand, and gives it and those inside; undefined when this guest has no such calls. */
  call(): readonly HypercallEvent[] | undefined {
    const convention = this.#convention;
    if (!convention) return undefined;
    const { page, vcpu, clock, lock, events } = this.#parts;
    const started = process.hrtime.bigint();
    const time = clock.now();
    const registers = callRegisters((name) => page.register(name), vcpu.get('sregs'));
    const call = convention.decode(registers);
    const answer = lock.hold(() => convention.answer(call, this.#platform));
    if (answer.console) this.#print(answer.console);
    if (answer.end) events.ended(answer.end);
    const behindOut = this.#after();
    const inline = this.#platform.memory.readVirtual(behindOut, 1)[0] === NOP;
    const rip = inline ? behindOut + 1n : behindOut;
    const caller = inline ? undefined : this.#caller(registers);
    if (inline) page.setRegister('rip', rip);
    if (answer.exception === undefined) {
      for (const [name, value] of Object.entries(convention.results(answer.result, registers.longMode))) {
        page.setRegister(name as 'rax' | 'rdx', value);
      }
    } else {
      injectException(vcpu, answer.exception);
    }
    const duration = Number(process.hrtime.bigint() - started) / 1000;
    const common = { time, duration, vcpu: vcpu.index, cpl: registers.cpl, rip, abi: convention.name };
    const made = [...(answer.inner ?? []), { call, answer }].map((each) =>
      eventOf({ ...common, ...(caller !== undefined && { caller }) }, each),
    );
    for (const event of made) this.#parts.ring.add(event);
    return made;
  }

  /** Answers KVM_EXIT_X86_RDMSR. */
  readMsr(): void {
    const { page, lock } = this.#parts;
    const value = lock.hold(() => this.#convention?.readMsr(page.msrIndex, this.#platform));
    page.msrError = value === undefined;
    if (value !== undefined) page.msrData = value;
  }

  /** Answers KVM_EXIT_X86_WRMSR. */
  writeMsr(): void {
    const { page, lock } = this.#parts;
    page.msrError = !lock.hold(() => this.#convention?.writeMsr(page.msrIndex, page.msrData, this.#platform) ?? false);
  }

  /** The instruction after the OUT. Some KVMs have moved RIP past it when they exit, others do at the next entry. */
  #after(): bigint {
    const rip = this.#parts.page.register('rip');
    return this.#platform.memory.readVirtual(rip, 1)[0] === OUT_IMM8 ? rip + OUT_BYTES : rip;
  }

  /** The page's entries end in RET: the caller's address is on top of the stack. */
  #caller({ longMode }: CallRegisters): bigint | undefined {
    const bytes = this.#platform.memory.readVirtual(this.#parts.page.register('rsp'), longMode ? 8 : 4);
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

function eventOf(
  common: Omit<HypercallEvent, 'number' | 'arguments' | 'result'>,
  { call, answer }: { readonly call: Call; readonly answer: Answer },
): HypercallEvent {
  const { number, arguments: values } = call;
  const { result, text } = answer;
  return { ...common, number, arguments: values, result, ...(text !== undefined && { text }) };
}
