/** What Ringside answers as Xen: a domain of its own without others, whose events, console and memory are its own. */
import { type Answer, type Call, type Platform, printable } from './abi.ts';
import {
  E2BIG,
  EFAULT,
  EINVAL,
  ENODATA,
  ENOSYS,
  EPERM,
  failed,
  integer,
  multicallEntry,
  ok,
  pointer,
  structure,
  withStructure,
} from './xen-call.ts';
import { shutdownReasons } from './xen-names.ts';
import { eventChannelOp } from './xen-ops/event-channels.ts';
import { grantTableOp } from './xen-ops/grant-table.ts';
import { hvmOp } from './xen-ops/hvm.ts';
import { memoryOp } from './xen-ops/memory.ts';
import { vcpuOp } from './xen-ops/vcpu.ts';

const CALL = {
  memory: 12,
  multicall: 13,
  version: 17,
  console: 18,
  grantTable: 20,
  vcpu: 24,
  scheduler: 29,
  eventChannel: 32,
  hvm: 34,
};

/** Major and minor, as CPUID and xen_version give them. */
export const VERSION = (4 << 16) | 17;
const EXTRAVERSION = '.0-ringside';
const CAPABILITIES = 'hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64';
const PAGE_SIZE = 4096n;
/** A console write is one line or a few; what is longer is cut, and the guest told so by the count being refused. */
const MOST_CONSOLE_BYTES = 64 * 1024;

/** A guest that makes more calls at once than this is refused rather than kept from everything else for long. */
const MOST_CALLS = 1024;
/** XENFEAT_ bits: translated frames (2), supervisor in ring 0 (3), event callback by vector (8). */
const FEATURES = (1 << 2) | (1 << 3) | (1 << 8);

/** Answers one call. Calls from user code are refused, as Xen does; what is not known gets -ENOSYS. */
export function answerXen(call: Call, platform: Platform): Answer {
  if (call.cpl !== 0) return failed(EPERM);
  if (call.number >= 64n) return failed(ENOSYS);
  switch (Number(call.number)) {
    case CALL.memory:
      return memoryOp(call, platform);
    case CALL.multicall:
      return multicall(call, platform);
    case CALL.version:
      return version(call, platform);
    case CALL.console:
      return consoleIo(call, platform);
    case CALL.grantTable:
      return grantTableOp(call, platform);
    case CALL.vcpu:
      return vcpuOp(call, platform);
    case CALL.scheduler:
      return schedule(call, platform);
    case CALL.eventChannel:
      return eventChannelOp(call, platform);
    case CALL.hvm:
      return hvmOp(call, platform);
    default:
      return failed(ENOSYS);
  }
}

function multicall(call: Call, platform: Platform): Answer {
  const count = integer(call, 1);
  if (count > MOST_CALLS) return failed(E2BIG);
  const { wordBytes } = call;
  const inner: { call: Call; answer: Answer }[] = [];
  for (let index = 0; index < count; index++) {
    const entry = multicallEntry(call, index, (at, length) => platform.memory.readVirtual(at, length));
    if (!entry) return { ...failed(EFAULT), inner };
    const { address, made } = entry;
    // Xen refuses a multicall inside of one.
    const answer = made.number === BigInt(CALL.multicall) ? failed(EINVAL) : answerXen(made, platform);
    inner.push({ call: made, answer });
    const result = new Uint8Array(BigUint64Array.of(answer.result).buffer, 0, wordBytes);
    if (platform.memory.writeVirtual(address + BigInt(wordBytes), result) < wordBytes) {
      return { ...failed(EFAULT), inner };
    }
  }
  const printed = inner.flatMap(({ answer }) => [...(answer.console ?? [])]);
  const end = inner.find(({ answer }) => answer.end)?.answer.end;
  return { result: 0n, inner, ...(printed.length > 0 && { console: Uint8Array.from(printed) }), ...(end && { end }) };
}

function version(call: Call, platform: Platform): Answer {
  const fill = (bytes: Uint8Array, text?: string): Answer => {
    if (platform.memory.writeVirtual(pointer(call, 1), bytes) !== bytes.length) return failed(EFAULT);
    return { result: 0n, ...(text !== undefined && { text }) };
  };
  const fillString = (text: string, size: number) => {
    const bytes = new Uint8Array(size);
    new TextEncoder().encodeInto(text, bytes.subarray(0, size - 1));
    return fill(bytes, text);
  };
  switch (integer(call, 0)) {
    case 0:
      return { result: BigInt(VERSION), text: '4.17' };
    case 1:
      return fillString(EXTRAVERSION, 16);
    case 3:
      return fillString(CAPABILITIES, 1024);
    case 4:
      return fillString('', 64);
    case 5: // platform_parameters: virt_start, which HVM guests have none of.
      return fill(new Uint8Array(call.wordBytes));
    case 6:
      return features(call, platform);
    case 7:
      return { result: PAGE_SIZE };
    case 8:
      return fill(new Uint8Array(16));
    case 9:
      return fillString('', 1024);
    case 10:
      return failed(ENODATA);
    default:
      return failed(ENOSYS);
  }
}

/** struct xen_feature_info: { u32 submap_idx; u32 submap }. */
function features(call: Call, platform: Platform): Answer {
  return withStructure(call, platform, 8, (view) => {
    if (view.getUint32(0, true) !== 0) return failed(EINVAL);
    view.setUint32(4, FEATURES, true);
    return ok;
  });
}

function consoleIo(call: Call, { memory }: Platform): Answer {
  const count = integer(call, 1);
  switch (integer(call, 0)) {
    case 0: {
      if (count > MOST_CONSOLE_BYTES) return failed(EINVAL);
      const bytes = memory.readVirtual(pointer(call, 2), count);
      if (bytes.length < count) return failed(EFAULT);
      return { result: 0n, console: bytes, text: printable(bytes) };
    }
    case 1: // Nobody types here: the serial port is the terminal.
      return ok;
    default:
      return failed(ENOSYS);
  }
}

function schedule(call: Call, platform: Platform): Answer {
  switch (integer(call, 0)) {
    case 0: // yield
    case 1: // block: returning at once is a spurious wake-up, which callers must expect.
    case 3: // poll
      return ok;
    case 2:
      return shutdown(call, platform);
    default:
      return failed(ENOSYS);
  }
}

function shutdown(call: Call, platform: Platform): Answer {
  const argument = structure(call, platform, 1, 4);
  if (!argument) return failed(EFAULT);
  const number = argument.view.getUint32(0, true);
  const reason = shutdownReasons[number];
  const message = `The guest ended itself by sched_op shutdown (${reason ?? number}).`;
  switch (reason) {
    case 'poweroff':
      return { result: 0n, text: reason, end: { cause: 'power-off', exitStatus: 0, message } };
    case 'reboot':
    case 'soft_reset':
      return { result: 0n, text: reason, end: { cause: 'reset', exitStatus: 1, message } };
    case 'crash':
    case 'watchdog':
      return { result: 0n, text: reason, end: { cause: 'error', exitStatus: 1, message } };
    default:
      return { ...failed(reason ? ENOSYS : EINVAL), ...(reason && { text: reason }) };
  }
}
