/**
 * The C library's functions that KVM needs, by koffi. `ioctl` and friends are declared without `...`: a variadic call
 * through libffi costs more, and the x86-64 calling convention passes these arguments the same way.
 */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');

/** A signal has broken the call off (errno(3)). */
export const EINTR = 4;

/** A system call that failed: what was being done, and the errno as name and number. */
export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;

  constructor(doing: string, errno: number) {
    const code = errnoName(errno);
    super(`${doing} failed: ${code}`);
    this.code = code;
    this.errno = errno;
  }
}

function errnoName(errno: number): string {
  return Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}

/** Gives the result of a call that returns a negative number and sets errno when it fails. */
function checked(doing: string, result: number): number {
  if (result < 0) throw new SystemError(doing, koffi.errno());
  return result;
}

/** The result of a call that is made again when a signal, as a profiler's, has broken it off. */
function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0 || koffi.errno() !== EINTR) return result;
  }
}

const functions = {
  open: libc.func('int open(const char *path, int flags)'),
  close: libc.func('int close(int fd)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
  ioctlValue: libc.func('int ioctl(int fd, unsigned long request, unsigned long argument)'),
  mmap: libc.func('uintptr_t mmap(uintptr_t address, size_t length, int prot, int flags, int fd, int64_t offset)'),
  munmap: libc.func('int munmap(uintptr_t address, size_t length)'),
  memfdCreate: libc.func('int memfd_create(const char *name, unsigned int flags)'),
  ftruncate: libc.func('int ftruncate(int fd, int64_t length)'),
  fallocate: libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
  lseek: libc.func('int64_t lseek(int fd, int64_t offset, int whence)'),
  gettid: libc.func('int gettid()'),
  tgkill: libc.func('int tgkill(int pid, int tid, int signal)'),
  pthreadSigmask: libc.func('int pthread_sigmask(int how, const void *set, void *old)'),
  sigtimedwait: libc.func('int sigtimedwait(const void *set, void *info, const void *timeout)'),
  timerCreate: libc.func('int timer_create(int clock, void *event, void *id)'),
  timerSettime: libc.func('int timer_settime(uintptr_t id, int flags, const void *value, void *old)'),
  timerDelete: libc.func('int timer_delete(uintptr_t id)'),
};

const O_RDWR_CLOEXEC = 0o2000002;
const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

/** Opens a device file for reading and writing. */
export const open = (path: string): number => checked(`open ${path}`, functions.open(path, O_RDWR_CLOEXEC));

/** Closes a descriptor that is known to be open. */
export const close = (fd: number): void => void checked(`close ${fd}`, functions.close(fd));

/** `ioctl` with a structure; `doing` names the call in the error. */
export const ioctl = (doing: string, fd: number, request: number, argument: Uint8Array): number =>
  checked(
    doing,
    uninterrupted(() => functions.ioctl(fd, request, argument)),
  );

/** `ioctl` with a number. */
export const ioctlValue = (doing: string, fd: number, request: number, argument: number | bigint): number =>
  checked(
    doing,
    uninterrupted(() => functions.ioctlValue(fd, request, argument)),
  );

/** `ioctl` with a number; gives 0 or more as the call does, and minus errno when it fails. For KVM_RUN. */
export function ioctlRaw(fd: number, request: number, argument: number): number {
  const result: number = functions.ioctlValue(fd, request, argument);
  return result < 0 ? -koffi.errno() : result;
}

/** `ioctl` with a structure that the guest had a hand in: gives minus errno when it fails. */
export function ioctlTry(fd: number, request: number, argument: Uint8Array): number {
  const result: number = functions.ioctl(fd, request, argument);
  return result < 0 ? -koffi.errno() : result;
}

/** A shared mapping of `length` bytes of `fd`, at an address that the kernel picks. */
export function mapShared(doing: string, fd: number, length: number): number {
  return mapped(doing, functions.mmap(0, length, PROT_READ_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0));
}

/** Puts a shared mapping of `fd`, from `offset` on, in the place of whatever is mapped at `address`. */
export function mapSharedAt(doing: string, address: number, fd: number, length: number, offset = 0): void {
  mapped(doing, functions.mmap(address, length, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED, fd, offset));
}

/** Puts fresh zeroed memory in the place of whatever is mapped at `address`. */
export function mapAnonymousAt(doing: string, address: number, length: number): void {
  mapped(doing, functions.mmap(address, length, PROT_READ_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0));
}

function mapped(doing: string, address: number | bigint): number {
  if (BigInt.asIntN(64, BigInt(address)) === -1n) throw new SystemError(doing, koffi.errno());
  return Number(address);
}

/** Takes back a mapping made by {@link mapShared}. */
export const unmap = (address: number, length: number): void =>
  void checked('munmap', functions.munmap(address, length));

/** Address of the first byte of a buffer; it stays valid only while that buffer cannot move, as shared wasm memory. */
export const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes));

/** An anonymous file of `length` bytes, all zero, that takes up memory only where it is written. */
export function memfd(name: string, length: number): number {
  const fd = checked(`memfd_create ${name}`, functions.memfdCreate(name, MFD_CLOEXEC));
  if (functions.ftruncate(fd, length) === 0) return fd;
  const error = new SystemError(`giving ${name} a size of ${length} bytes`, koffi.errno());
  functions.close(fd);
  throw error;
}

/** Gives back the memory of `length` bytes of a file from `offset` on; they read as zero. */
export function punchHole(fd: number, offset: number, length: number): void {
  const KEEP_SIZE_AND_PUNCH_HOLE = 3;
  checked('fallocate', functions.fallocate(fd, KEEP_SIZE_AND_PUNCH_HOLE, offset, length));
}

/** The next run of bytes at or after `from` that take up memory in a memfd of `size` bytes; undefined when none is left. */
export function nextData(
  fd: number,
  from: number,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const SEEK_DATA = 3;
  const SEEK_HOLE = 4;
  const start = Number(functions.lseek(fd, from, SEEK_DATA));
  if (start < 0) return undefined;
  return { start, end: Math.min(size, Number(functions.lseek(fd, start, SEEK_HOLE))) };
}

/** Kernel id of the calling thread. */
export const gettid = (): number => functions.gettid();

/** Sends a signal to one thread of this process; false when the thread is gone. */
export const tgkill = (tid: number, signal: number): boolean => functions.tgkill(process.pid, tid, signal) === 0;

/** Blocks `set` in the calling thread and gives the mask that was in force before (8 bytes, as the kernel's). */
export function blockSignals(set: Uint8Array): Uint8Array {
  const SIG_BLOCK = 0;
  const old = new Uint8Array(128);
  const error: number = functions.pthreadSigmask(SIG_BLOCK, set, old);
  if (error !== 0) throw new SystemError('pthread_sigmask', error);
  return old.subarray(0, 8);
}

/** Takes one pending signal of `set`, without waiting; false when none is pending. */
export const takeSignal = (set: Uint8Array, zeroTime: Uint8Array): boolean =>
  functions.sigtimedwait(set, null, zeroTime) > 0;

/** A timer that sends `signal` to the calling thread every `milliseconds`; gives its id for {@link deleteTimer}. */
export function threadTimer(signal: number, milliseconds: number): bigint {
  const CLOCK_MONOTONIC = 1;
  const SIGEV_THREAD_ID = 4;
  const event = Buffer.alloc(64);
  event.writeInt32LE(signal, 8);
  event.writeInt32LE(SIGEV_THREAD_ID, 12);
  event.writeInt32LE(functions.gettid(), 16);
  const id = Buffer.alloc(8);
  checked('timer_create', functions.timerCreate(CLOCK_MONOTONIC, event, id));
  const period = Buffer.alloc(32);
  for (const at of [0, 16]) {
    period.writeBigInt64LE(BigInt(Math.floor(milliseconds / 1000)), at);
    period.writeBigInt64LE(BigInt(Math.floor((milliseconds % 1000) * 1e6)), at + 8);
  }
  const timer = id.readBigUInt64LE(0);
  checked('timer_settime', functions.timerSettime(timer, 0, period, null));
  return timer;
}

/** Ends a timer made by {@link threadTimer}. */
export const deleteTimer = (timer: bigint): void => void checked('timer_delete', functions.timerDelete(timer));
