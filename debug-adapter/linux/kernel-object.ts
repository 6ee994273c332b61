/** One structure of the kernel at its address, its members by the names that the kernel's sources give them. */
import { type AggregateType, isAggregate, isInteger, isSigned, strip } from '../expressions/types.ts';
import { textAt } from './format.ts';
import type { Kernel, MemberPlace } from './kernel.ts';
import { LinuxError } from './linux-error.ts';

/** Bytes of a character array that are read. */
const LONGEST_TEXT = 4096;

export class KernelObject {
  constructor(
    readonly kernel: Kernel,
    readonly type: AggregateType,
    /** Guest-virtual. */
    readonly address: bigint,
  ) {}

  has(path: string): boolean {
    return this.kernel.place(this.type, path) !== undefined;
  }

  /** The first of several names that kernels of different age give to a member. */
  either(...paths: readonly string[]): string {
    return paths.find((path) => this.has(path)) ?? paths[0] ?? '';
  }

  /** Elements of an array; 0 for one of no length. */
  count(path: string): number {
    const plain = strip(this.place(path).type);
    return plain.kind === 'array' ? (plain.count ?? 0) : 0;
  }

  addressOf(path: string): bigint {
    return this.address + BigInt(this.place(path).offset);
  }

  /** An integer or a pointer of up to 64 bits, negative only where its type is signed. */
  async integer(path: string): Promise<bigint> {
    const { type, bits } = this.place(path);
    const plain = strip(type);
    if ((!isInteger(plain) && plain.kind !== 'pointer') || plain.size > 8) {
      throw new LinuxError(`"${path}" of struct ${this.type.name} is no number in this kernel.`);
    }
    const { offset, size } = bits ?? { offset: 0, size: 8 * plain.size };
    const bytes = await this.kernel.read(this.addressOf(path), Math.ceil((offset + size) / 8));
    const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) >> BigInt(offset);
    return plain.kind !== 'pointer' && isSigned(plain) ? BigInt.asIntN(size, value) : BigInt.asUintN(size, value);
  }

  /** As {@link KernelObject.integer}, for what has at most 53 bits. */
  async number(path: string): Promise<number> {
    return Number(await this.integer(path));
  }

  /** An array of characters up to its NUL, or the C string that a pointer points to; empty for a null pointer. */
  async text(path: string): Promise<string> {
    if (strip(this.place(path).type).kind === 'pointer') {
      const address = await this.integer(path);
      return address === 0n ? '' : textAt(this.kernel, address);
    }
    const length = Math.min(this.count(path), LONGEST_TEXT);
    const bytes = await this.kernel.read(this.addressOf(path), length);
    const end = bytes.indexOf(0);
    return Buffer.from(bytes.subarray(0, end < 0 ? length : end)).toString('utf8');
  }

  /** A structure inside this one, or the one that a member points to; undefined for a null pointer. */
  async object(path: string): Promise<KernelObject | undefined> {
    const plain = strip(this.place(path).type);
    const target = plain.kind === 'pointer' ? strip(plain.target) : plain;
    if (!isAggregate(target)) throw new LinuxError(`"${path}" of struct ${this.type.name} is no structure here.`);
    const address = plain.kind === 'pointer' ? await this.integer(path) : this.addressOf(path);
    return address === 0n ? undefined : new KernelObject(this.kernel, target, address);
  }

  private place(path: string): MemberPlace {
    const place = this.kernel.place(this.type, path);
    if (!place) throw new LinuxError(`struct ${this.type.name} of this kernel has no "${path}".`);
    return place;
  }
}
