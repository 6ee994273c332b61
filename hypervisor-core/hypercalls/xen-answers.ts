/** What Ringside answers as Xen: enough for a guest to find out where it is, print, yield and switch off. */
import { type Answer, type Call, type GuestMemory, printable } from './abi.ts';
import { negative } from './describe.ts';
import { shutdownReasons } from './xen-names.ts';

const EPERM = 1;
const EFAULT = 14;
const EINVAL = 22;
const ENOSYS = 38;
const ENODATA = 61;

const XEN_VERSION = 17n;
const CONSOLE_IO = 18n;
const SCHED_OP = 29n;

/** Major and minor, as CPUID and xen_version give them. */
export const VERSION = (4 << 16) | 17;
const EXTRAVERSION = '.0-ringside';
const CAPABILITIES = 'hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64';
const PAGE_SIZE = 4096n;
/** A console write is one line or a few; what is longer is cut, and the guest told so by the count being refused. */
const MOST_CONSOLE_BYTES = 64 * 1024;

const ok: Answer = { result: 0n };
const failed = (error: number): Answer => ({ result: negative(error) });

/** Answers one call. Calls from user code are refused, as Xen does; what is not known gets -ENOSYS. */
export function answerXen(call: Call, memory: GuestMemory): Answer {
  if (call.cpl !== 0) return failed(EPERM);
  switch (call.number) {
    case XEN_VERSION:
      return version(call, memory);
    case CONSOLE_IO:
      return consoleIo(call, memory);
    case SCHED_OP:
      return schedule(call, memory);
    default:
      return failed(ENOSYS);
  }
}

/** Argument as the C int that Xen takes it for. */
function integer(call: Call, index: number): number {
  return Number(BigInt.asUintN(32, call.arguments[index] ?? 0n));
}

function pointer(call: Call, index: number): bigint {
  return call.arguments[index] ?? 0n;
}

function version(call: Call, memory: GuestMemory): Answer {
  const fill = (bytes: Uint8Array, text?: string): Answer => {
    if (memory.writeVirtual(pointer(call, 1), bytes) !== bytes.length) return failed(EFAULT);
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
      return features(call, memory);
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

/** struct xen_feature_info: { u32 submap_idx; u32 submap }. No optional feature is offered. */
function features(call: Call, memory: GuestMemory): Answer {
  const info = memory.readVirtual(pointer(call, 1), 8);
  if (info.length < 8) return failed(EFAULT);
  const index = new DataView(info.buffer, info.byteOffset, 8).getUint32(0, true);
  if (index !== 0) return failed(EINVAL);
  const written = memory.writeVirtual(pointer(call, 1) + 4n, new Uint8Array(4));
  return written === 4 ? ok : failed(EFAULT);
}

function consoleIo(call: Call, memory: GuestMemory): Answer {
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

function schedule(call: Call, memory: GuestMemory): Answer {
  switch (integer(call, 0)) {
    case 0: // yield
    case 1: // block: returning at once is a spurious wake-up, which callers must expect.
    case 3: // poll
      return ok;
    case 2:
      return shutdown(call, memory);
    default:
      return failed(ENOSYS);
  }
}

function shutdown(call: Call, memory: GuestMemory): Answer {
  const bytes = memory.readVirtual(pointer(call, 1), 4);
  if (bytes.length < 4) return failed(EFAULT);
  const number = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
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
