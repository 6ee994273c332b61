/** What Ringside answers as Hyper-V: interrupts to sets of processors, registers of one, and that nobody listens. */
import type { Answer, Call, Platform } from './abi.ts';
import { HV_REGISTER, hypervCalls, STATUS } from './hyperv-calls.ts';
import { hypervFields } from './hyperv-fields.ts';
import { type HypervInput, headerBytes, readInput } from './hyperv-input.ts';
import { guestOsId, HYPERV_VERSION } from './hyperv-msrs.ts';

const UD = 6;
const INVALID_OPCODE: Answer = { result: 0n, exception: UD };
const SELF_PARTITION = 0xffff_ffff_ffff_ffffn;
const SELF_VP = 0xffff_fffe;
/** Vectors below are exceptions' (TLFS 11.9). */
const FIRST_VECTOR = 16;
const SPARSE_FORMAT = { bits4k: 0n, all: 1n };
const REGISTER_BYTES = 16;
/** A bank of a sparse set. */
const BANK_BITS = 64;

/** The result value: status 15:0, repetitions done 43:32. */
const answer = (status: number, done = 0): Answer => ({ result: BigInt(status) | (BigInt(done) << 32n) });

/** Answers one call; calls from user code get #UD, as TLFS 3.3 has it. */
export function answerHyperv(call: Call, platform: Platform): Answer {
  if (call.cpl !== 0) return INVALID_OPCODE;
  const input = readInput(call, platform);
  if (typeof input === 'number') return answer(input);
  const text = hypervFields(input);
  const given = carryOut(input, platform);
  return text ? { ...given, text } : given;
}

function carryOut(input: HypervInput, platform: Platform): Answer {
  switch (hypervCalls[input.code]?.name) {
    case 'HvCallNotifyLongSpinWait':
      return answer(STATUS.success);
    case 'HvCallSendSyntheticClusterIpi':
      return sendIpi(input, platform, processorMask(input.parameters.getBigUint64(8, true), 0));
    case 'HvCallSendSyntheticClusterIpiEx': {
      const set = sparseSet(input, platform.cpus);
      return set ? sendIpi(input, platform, set) : answer(STATUS.invalidParameter);
    }
    case 'HvCallGetVpRegisters':
      return vpRegisters(input, platform);
    case 'HvCallPostMessage':
    case 'HvCallSignalEvent':
      // No port is connected to anything.
      return answer(STATUS.invalidConnectionId);
    case 'HvExtCallQueryCapabilities':
      return output(input, platform, new Uint8Array(8)) ? answer(STATUS.success) : answer(STATUS.invalidAlignment);
    case 'HvCallVtlCall':
    case 'HvCallVtlReturn':
      return INVALID_OPCODE;
    default:
      return answer(STATUS.invalidHypercallCode);
  }
}

/** Indices of the processors in one 64-bit mask. */
function processorMask(mask: bigint, first: number): number[] {
  return Array.from({ length: BANK_BITS }, (_, bit) => bit)
    .filter((bit) => (mask >> BigInt(bit)) & 1n)
    .map((bit) => first + bit);
}

/** The processors of an HV_VP_SET, TLFS 7.8.7.3; undefined when it contradicts itself. */
function sparseSet(input: HypervInput, cpus: number): number[] | undefined {
  const { parameters, variableHeader } = input;
  const format = parameters.getBigUint64(8, true);
  if (format === SPARSE_FORMAT.all) return Array.from({ length: cpus }, (_, index) => index);
  if (format !== SPARSE_FORMAT.bits4k) return undefined;
  const banks = processorMask(parameters.getBigUint64(16, true), 0);
  const call = hypervCalls[input.code];
  const fixed = call ? headerBytes(call) : 0;
  if (variableHeader < banks.length * 8) return undefined;
  return banks.flatMap((bank, position) =>
    processorMask(parameters.getBigUint64(fixed + position * 8, true), bank * BANK_BITS),
  );
}

function sendIpi({ parameters }: HypervInput, platform: Platform, processors: readonly number[]): Answer {
  const vector = parameters.getUint32(0, true);
  const vtl = parameters.getUint8(4);
  if (vector < FIRST_VECTOR || vector > 255 || vtl !== 0) return answer(STATUS.invalidParameter);
  for (const index of processors) if (index < platform.cpus) platform.interrupt(index, vector);
  return answer(STATUS.success);
}

/** Registers of a virtual processor that do not need it to stand still. */
function vpRegisters(input: HypervInput, platform: Platform): Answer {
  const { parameters, repCount, repStart } = input;
  const partition = parameters.getBigUint64(0, true);
  const wanted = parameters.getUint32(8, true);
  const vp = wanted === SELF_VP ? platform.vcpu : wanted;
  if (partition !== SELF_PARTITION || parameters.getUint8(12) !== 0) return answer(STATUS.accessDenied, repStart);
  if (vp >= platform.cpus) return answer(STATUS.invalidParameter, repStart);
  for (let index = repStart; index < repCount; index++) {
    const value = registerValue(parameters.getUint32(16 + 4 * index, true), vp, platform);
    if (!value) return answer(STATUS.invalidParameter, index);
    if (!output(input, platform, value, index * REGISTER_BYTES)) return answer(STATUS.invalidAlignment, index);
  }
  return answer(STATUS.success, repCount);
}

function registerValue(name: number, vp: number, { state }: Platform): Uint8Array | undefined {
  const value = new Uint8Array(REGISTER_BYTES);
  const view = new DataView(value.buffer);
  if (name === HV_REGISTER.vpIndex) view.setUint32(0, vp, true);
  else if (name === HV_REGISTER.guestOsId) view.setBigUint64(0, guestOsId(state), true);
  else if (name === HV_REGISTER.hypervisorVersion) {
    const { eax, ebx, ecx, edx } = HYPERV_VERSION;
    [eax, ebx, ecx, edx].forEach((word, index) => {
      view.setUint32(4 * index, word, true);
    });
  } else return undefined;
  return value;
}

function output({ output: gpa = 0n }: HypervInput, { memory }: Platform, bytes: Uint8Array, at = 0): boolean {
  return memory.writePhysical(gpa + BigInt(at), bytes) === bytes.length;
}
