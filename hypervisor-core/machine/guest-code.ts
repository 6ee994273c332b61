/** What of guest RAM is code for certain: by the kernel's file, and by the page tables. */
import type { BootImage } from '../boot/boot-image.ts';
import { PageFlag } from '../paging/page-flags.ts';
import { type PagingState, pagingMode } from '../paging/paging-mode.ts';
import { withReads } from '../paging/reads.ts';
import { PAGE_SHIFT, scanPages } from '../paging/scan.ts';
import { codeBits } from './linear-pc.ts';
import type { MachineVcpu } from './machine-vcpu.ts';

/** A piece of code as it is in RAM now. */
export interface GuestCode {
  readonly bytes: Uint8Array;
  readonly bits: 16 | 32 | 64;
  /** Guest-physical address of the first byte. */
  readonly gpa: number;
  /** Linear addresses of the first byte by which it may run. */
  readonly gvas: readonly bigint[];
}

type ReadRam = (gpa: number, length: number) => Uint8Array;

/** Bytes that are looked at in page tables' code; Linux has some 20 MiB. */
const MOST_BYTES = 128 << 20;

/** What `image` had loaded, and what the first vCPU that has page tables may execute. */
export function* guestCode(image: BootImage, vcpus: readonly MachineVcpu[], read: ReadRam): Generator<GuestCode> {
  yield* imageCode(image, read);
  const vcpu = vcpus.find(({ registers }) => pagingMode(registers.paging) !== 'none');
  if (vcpu) yield* mappedCode(vcpu.registers.paging, codeBits(vcpu.registers.state('sregs')), read);
}

/** The code sections of the kernel's file, which runs where it was loaded and where it was linked. */
function* imageCode(image: BootImage, read: ReadRam): Generator<GuestCode> {
  for (const { gpa, gva = gpa, code } of image.segments) {
    for (const { start, end } of code?.ranges ?? []) {
      const gvas = [...new Set([gpa, gva])].map((address) => address + BigInt(start));
      const place = Number(gpa) + start;
      yield { bytes: read(place, end - start), bits: code?.bits ?? 64, gpa: place, gvas };
    }
  }
}

/** What one vCPU's page tables let the kernel execute but not write: with both, data may lie among it. */
function* mappedCode(state: PagingState, bits: GuestCode['bits'], read: ReadRam): Generator<GuestCode> {
  const { runs } = withReads(scanPages(state), (gpa, length) => read(Number(gpa), length));
  let left = MOST_BYTES;
  for (const { page, frame, pages, flags } of runs) {
    if ((flags & RIGHTS) !== PageFlag.present) continue;
    const gpa = Number(BigInt(frame) << PAGE_SHIFT);
    const bytes = read(gpa, Math.min(left, Number(BigInt(pages) << PAGE_SHIFT)));
    left -= bytes.length;
    yield { bytes, bits, gpa, gvas: [BigInt(page) << PAGE_SHIFT] };
    if (left === 0) return;
  }
}

const RIGHTS = PageFlag.present | PageFlag.writable | PageFlag.user | PageFlag.noExecute | PageFlag.reserved;
