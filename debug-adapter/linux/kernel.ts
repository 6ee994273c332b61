/**
 * A Linux kernel in guest memory. Where things lie is said by the image's symbols and type information, never by numbers
 * of one version. Guest memory is not trusted: what is read is bounded in count and time.
 */

import { setImmediate } from 'node:timers/promises';
import { inUpperHalf } from '../../hypervisor-core/paging/paging-mode.ts';
import { type AggregateType, isAggregate, membersOf, strip } from '../expressions/types.ts';
import type { ReadMemory, SymbolIndex, Type } from '../symbols/api.ts';
import { symbolOffset } from '../symbols/readable-name.ts';
import { KernelObject } from './kernel-object.ts';
import { LinuxError } from './linux-error.ts';

/** Reads for one question; a guest with ten thousand tasks needs a tenth of it. */
const MOST_READS = 1_000_000;
const MOST_MILLISECONDS = 20_000;
/** Reads are answered from a cache mostly: others get their turn all the same. */
const TURN_MILLISECONDS = 20;
const WORD = 8;

/** A member with its place in the outermost structure. */
export interface MemberPlace {
  /** In bytes. */
  readonly offset: number;
  readonly type: Type;
  /** Of a bit-field: from the least significant bit of the byte at `offset`. */
  readonly bits?: { readonly offset: number; readonly size: number };
}

export class Kernel {
  private reads = 0;
  private readonly started = Date.now();
  private turn = Date.now();
  private readonly structures = new Map<string, AggregateType>();
  private readonly places = new Map<AggregateType, Map<string, MemberPlace | undefined>>();

  private constructor(
    readonly symbols: SymbolIndex,
    private readonly memory: ReadMemory,
  ) {}

  /**
   * For one question at one stop.
   * @param read guest-virtual memory, through page tables that map the kernel.
   * Throws {@link LinuxError} where the symbols are no Linux kernel's, or have no types.
   */
  static async of(symbols: SymbolIndex | undefined, read: ReadMemory): Promise<Kernel> {
    await symbols?.indexed;
    if (!symbols || symbols.symbolsNamed('init_task').length === 0) {
      throw new LinuxError(
        'No Linux with known symbols runs here. If the guest is Linux, set "symbols" in launch.json to its vmlinux.',
      );
    }
    if (!symbols.typeNamed('task_struct', 'struct')) {
      throw new LinuxError(
        `${symbols.path} has no type information. Build the kernel with CONFIG_DEBUG_INFO or CONFIG_DEBUG_INFO_BTF.`,
      );
    }
    return new Kernel(symbols, read);
  }

  /** The address of a symbol; throws for one that this kernel has not. */
  address(name: string): bigint {
    const [symbol] = this.symbols.symbolsNamed(name);
    if (!symbol) throw new LinuxError(`This kernel has no "${name}".`);
    return symbol.address;
  }

  has(name: string): boolean {
    return this.symbols.symbolsNamed(name).length > 0;
  }

  enumerator(name: string): bigint {
    const found = this.symbols.enumerator(name);
    if (!found) throw new LinuxError(`This kernel has no enumerator "${name}".`);
    return found.value;
  }

  /** `symbol+0x10` for an address in the kernel's image; the address itself for any other. */
  nameOf(address: bigint): string {
    // Per-CPU variables are symbols from 0 on, but nothing is there.
    const symbol = inUpperHalf(address) ? this.symbols.symbolAt(address) : undefined;
    return symbol ? symbolOffset(symbol, address) : `0x${address.toString(16)}`;
  }

  /** The structure `struct name` at a guest-virtual address. */
  object(name: string, address: bigint): KernelObject {
    return new KernelObject(this, this.structure(name), address);
  }

  /** This CPU's copy of a per-CPU symbol. A kernel for one CPU has but one, at the symbol. */
  async perCpu(name: string, cpu: number): Promise<bigint> {
    return this.perCpuAt(this.address(name), cpu);
  }

  /** The same for a per-CPU pointer. */
  async perCpuAt(base: bigint, cpu: number): Promise<bigint> {
    if (!this.has('__per_cpu_offset')) return base;
    return BigInt.asUintN(64, base + (await this.word(this.address('__per_cpu_offset') + BigInt(cpu * WORD))));
  }

  structure(name: string): AggregateType {
    const known = this.structures.get(name);
    if (known) return known;
    const found = this.symbols.typeNamed(name, 'struct');
    const plain = found && strip(found);
    if (!plain || !isAggregate(plain) || plain.declaration)
      throw new LinuxError(`This kernel has no "struct ${name}".`);
    this.structures.set(name, plain);
    return plain;
  }

  /** Where `path`, such as `thread.sp` or `mem[0].base`, lies in a structure; undefined where this kernel has it not. */
  place(type: AggregateType, path: string): MemberPlace | undefined {
    let known = this.places.get(type);
    if (!known) {
      known = new Map();
      this.places.set(type, known);
    }
    if (!known.has(path)) known.set(path, findMember(type, path));
    return known.get(path);
  }

  /** Throws where the memory is not mapped, or too much was read for one question. */
  async read(address: bigint, length: number): Promise<Uint8Array> {
    const bytes = await this.available(address, length);
    if (bytes.length < length) throw new LinuxError(`Memory at 0x${address.toString(16)} is not mapped.`);
    return bytes;
  }

  /** As {@link Kernel.read}, but short where the memory is not mapped. */
  async available(address: bigint, length: number): Promise<Uint8Array> {
    await this.checkBudget();
    return this.memory(address, length);
  }

  /** 64 bits, unsigned. */
  async word(address: bigint): Promise<bigint> {
    const bytes = await this.read(address, WORD);
    return new DataView(bytes.buffer, bytes.byteOffset, WORD).getBigUint64(0, true);
  }

  private async checkBudget(): Promise<void> {
    this.reads++;
    const now = Date.now();
    if (this.reads > MOST_READS || now - this.started > MOST_MILLISECONDS) {
      throw new LinuxError('The guest has more of this than can be read.');
    }
    if (now - this.turn < TURN_MILLISECONDS) return;
    await setImmediate();
    this.turn = Date.now();
  }
}

function findMember(outer: AggregateType, path: string): MemberPlace | undefined {
  let place: MemberPlace = { offset: 0, type: outer };
  for (const step of path.split('.')) {
    const [, name = '', index] = /^(\w+)(?:\[(\d+)\])?$/.exec(step) ?? [];
    const type = strip(place.type);
    const member = isAggregate(type) ? membersOf(type).find((each) => each.name === name) : undefined;
    if (!member) return undefined;
    place = { ...member, offset: place.offset + member.offset };
    if (index === undefined) continue;
    const array = strip(place.type);
    const element = array.kind === 'array' ? strip(array.element) : undefined;
    if (!element || !isAggregate(element)) return undefined;
    place = { offset: place.offset + Number(index) * element.size, type: element };
  }
  return place;
}
