/** What instructions do that KVM's emulator lacks, by mnemonic; Intel SDM vol. 2. */
import type { RunPage } from '../../kvm/run-page.ts';
import type { RegisterAccess } from '../register-access.ts';
import { type Operands, Unfinished } from './operands.ts';

/** What an instruction can get at. */
export interface Processor {
  /** The general ones are in the run page. */
  readonly registers: RegisterAccess;
  readonly page: RunPage;
  readonly operands: Operands;
  /** Runs `body` with all other vCPUs out of the guest. */
  alone(body: () => void): void;
}

const FLAG = { carry: 1n, parity: 4n, adjust: 0x10n, zero: 0x40n, sign: 0x80n, overflow: 0x800n, access: 1n << 18n };
const ARITHMETIC = FLAG.carry | FLAG.parity | FLAG.adjust | FLAG.zero | FLAG.sign | FLAG.overflow;
/** FSW: the exceptions, stack fault, error summary and busy bits. */
const X87_EXCEPTIONS = 0x80ffn;
const X87_ERROR_SUMMARY = 0x80n;
const MXCSR_RESERVED = 0xffff_0000n;
const MSR = { tsc: 0x10, tscAux: 0xc000_0103 };
const LOW_HALF = 0xffff_ffffn;

const nothing = () => undefined;

/** Sets the flags of `mask` to those of `value`. */
function flags({ page }: Processor, mask: bigint, value: bigint): void {
  page.setRegister('rflags', (page.register('rflags') & ~mask) | (value & mask));
}

function populationCount(cpu: Processor): void {
  const { value } = cpu.operands.read(1);
  let count = 0n;
  for (let rest = value; rest !== 0n; rest &= rest - 1n) count++;
  cpu.operands.write(0, count);
  flags(cpu, ARITHMETIC, value === 0n ? FLAG.zero : 0n);
}

function compareAndExchange16(cpu: Processor): void {
  const { page, operands } = cpu;
  if (operands.address % 16n !== 0n) throw new Unfinished('its operand is not aligned');
  cpu.alone(() => {
    const found = Buffer.from(operands.readMemory(16));
    const [low, high] = [found.readBigUInt64LE(0), found.readBigUInt64LE(8)];
    const equal = low === page.register('rax') && high === page.register('rdx');
    if (equal) {
      found.writeBigUInt64LE(page.register('rbx'), 0);
      found.writeBigUInt64LE(page.register('rcx'), 8);
    } else {
      page.setRegister('rax', low);
      page.setRegister('rdx', high);
    }
    // The processor writes in any case.
    operands.writeMemory(found);
    flags(cpu, FLAG.zero, equal ? FLAG.zero : 0n);
  });
}

function readTimeStamp({ registers, page }: Processor): void {
  const [time, aux] = registers.vcpu.msrs([MSR.tsc, MSR.tscAux]);
  if (time === undefined || aux === undefined) throw new Unfinished('KVM does not tell the time stamp');
  page.setRegister('rax', time & LOW_HALF);
  page.setRegister('rdx', time >> 32n);
  page.setRegister('rcx', aux & LOW_HALF);
}

function clearX87Exceptions({ registers }: Processor): void {
  registers.put('fstat', registers.get('fstat') & ~X87_EXCEPTIONS);
}

function waitForX87({ registers }: Processor): void {
  if ((registers.get('fstat') & X87_ERROR_SUMMARY) !== 0n) throw new Unfinished('an x87 exception waits for it');
}

function loadMxcsr({ registers, operands }: Processor): void {
  const { value } = operands.read(0);
  if ((value & MXCSR_RESERVED) !== 0n) throw new Unfinished('the value has reserved bits');
  registers.put('mxcsr', value);
}

/** Each carries its instruction out, but for RIP, or throws {@link Unfinished} before it has changed anything. */
export const instructions = {
  Popcnt: populationCount,
  Cmpxchg16b: compareAndExchange16,
  Stac: (cpu) => flags(cpu, FLAG.access, FLAG.access),
  Clac: (cpu) => flags(cpu, FLAG.access, 0n),
  Rdtscp: readTimeStamp,
  Fnstsw: ({ registers, operands }) => operands.write(0, registers.get('fstat')),
  Fnclex: clearX87Exceptions,
  Wait: waitForX87,
  Stmxcsr: ({ registers, operands }) => operands.write(0, registers.get('mxcsr')),
  Ldmxcsr: loadMxcsr,
  // Without shadow stacks these do nothing.
  Rdsspd: nothing,
  Rdsspq: nothing,
} satisfies Partial<Record<keyof typeof import('iced-x86').Mnemonic, (cpu: Processor) => void>>;
