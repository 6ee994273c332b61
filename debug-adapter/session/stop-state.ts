/**
 * What is known of the guest at one stop, fetched once: registers, memory pages and frames of each vCPU. Thrown away
 * when the guest moves.
 */
import type { PagingState } from '../../hypervisor-core/paging/paging-mode.ts';
import type { EvaluationContext } from '../expressions/api.ts';
import type { Frame, ReadMemory, SymbolIndex } from '../symbols/api.ts';
import { backtrace } from '../symbols/unwinder.ts';
import type { Target, TargetStop } from '../target/target.ts';
import { type CodeSegment, codeSegmentOf, tellsSegment } from './code-segment.ts';
import { noSuchRegister, notWritable } from './errors.ts';
import { KernelMemory } from './kernel-memory.ts';
import { once } from './once.ts';

const PAGE = 4096;
/** Pages kept, 16 MiB. */
const MOST_PAGES = 4096;
/** Frames of one stack; a deeper one is a runaway recursion or a broken chain. */
const MOST_FRAMES = 256;

/** A stop as it is shown. */
export interface ShownStop extends TargetStop {
  /**
   * Calls of inlined functions that begin where the vCPU stands, and that the user has not stepped into: it is shown before
   * them, though none of their instructions tells that from after.
   */
  readonly ahead?: number;
}

export class StopState {
  private readonly registerCache = new Map<number, Promise<ReadonlyMap<string, Uint8Array>>>();
  private readonly frameCache = new Map<number, Promise<readonly Frame[]>>();
  private readonly pages = new Map<string, Promise<Uint8Array>>();
  private kernelMemory: KernelMemory;
  /** Grows with each write to memory or registers. */
  writes = 0;

  constructor(
    readonly target: Target,
    readonly symbols: SymbolIndex | undefined,
    readonly stop: ShownStop,
  ) {
    this.kernelMemory = this.newKernelMemory();
  }

  /** Registers as little-endian bytes, by name. */
  registers(thread: number): Promise<ReadonlyMap<string, Uint8Array>> {
    return once(this.registerCache, thread, () => this.target.readRegisters(thread));
  }

  /** Registers of up to 64 bits as numbers. */
  async values(thread: number): Promise<ReadonlyMap<string, bigint>> {
    const all = [...(await this.registers(thread))].filter(([, bytes]) => bytes.length <= 8);
    return new Map(all.map(([name, bytes]) => [name, fromLittleEndian(bytes)]));
  }

  /** The same with what only a monitor tells: descriptor tables, the hidden parts of segments. */
  async systemValues(thread: number): Promise<ReadonlyMap<string, bigint>> {
    return new Map([...(await this.target.systemRegisters(thread)), ...(await this.values(thread))]);
  }

  /** How a vCPU translates addresses; `cr3` is another root than its own. */
  async paging(thread: number, cr3?: bigint): Promise<PagingState> {
    const values = await this.values(thread);
    const value = (name: string) => values.get(name) ?? 0n;
    return { cr0: value('cr0'), cr3: cr3 ?? value('cr3'), cr4: value('cr4'), efer: value('efer') };
  }

  /** A stub that keeps the hidden part of CS to itself (QEMU) is asked by its monitor, where that can matter. */
  async codeSegment(thread: number): Promise<CodeSegment> {
    const values = await this.values(thread);
    return codeSegmentOf(tellsSegment(values) ? values : await this.systemValues(thread));
  }

  /** Linear address of the next instruction. */
  async pc(thread: number): Promise<bigint> {
    const offset = (await this.values(thread)).get('rip') ?? 0n;
    const { base } = await this.codeSegment(thread);
    return base === 0n ? offset : BigInt.asUintN(32, base + offset);
  }

  /**
   * Reads guest-virtual memory through the page cache; short where a page is not mapped. Of a kernel that hides from the user
   * code that runs, all is there.
   */
  async read(thread: number, address: bigint, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const offset = Number(at % BigInt(PAGE));
      const page = await this.page(thread, at - BigInt(offset));
      const part = page.subarray(offset, Math.min(PAGE, offset + length - done));
      parts.push(part);
      done += part.length;
      if (offset + part.length < PAGE) break;
    }
    return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts);
  }

  reader(thread: number): ReadMemory {
    return (address, length) => this.read(thread, address, length);
  }

  /** The call stack, innermost first. */
  frames(thread: number): Promise<readonly Frame[]> {
    return once(this.frameCache, thread, async () =>
      (await this.unwind(thread, MOST_FRAMES)).slice(this.ahead(thread)),
    );
  }

  /** Calls of inlined functions that a vCPU is shown before: see {@link ShownStop}. */
  ahead(thread: number): number {
    return thread === this.stop.thread ? (this.stop.ahead ?? 0) : 0;
  }

  /** As {@link StopState.frames}, but only the first few, for steps. */
  async unwind(thread: number, limit: number): Promise<readonly Frame[]> {
    return backtrace({
      symbols: this.symbols,
      registers: await this.values(thread),
      codeBase: (await this.codeSegment(thread)).base,
      read: this.reader(thread),
      limit,
    });
  }

  async writeMemory(thread: number, address: bigint, data: Uint8Array): Promise<void> {
    this.forget();
    await this.target.writeMemory(thread, address, data).catch(async (error: Error) => {
      if (!(await this.kernelMemory.write(thread, address, data))) throw error;
    });
    this.forget();
  }

  async writePhysical(address: bigint, data: Uint8Array): Promise<void> {
    this.forget();
    await this.target.writePhysical(address, data);
    this.forget();
  }

  async writeRegister(thread: number, name: string, value: Uint8Array): Promise<void> {
    this.forget();
    await this.target.writeRegister(thread, name, value);
    this.forget();
  }

  /** What expressions are evaluated in, for a frame of `thread`. */
  context(thread: number, frame: Frame): EvaluationContext {
    const width = (name: string) => this.target.registers.find((register) => register.name === name)?.bits;
    return {
      symbols: this.symbols,
      frame,
      readMemory: this.reader(thread),
      writeMemory: (address, data) => this.writeMemory(thread, address, data),
      readRegister: async (name) => {
        const bits = width(name);
        const known = frame.registers.get(name);
        if (known !== undefined) return toLittleEndian(known, (bits ?? 64) / 8);
        // What frames do not track (control registers, vectors) is the vCPU's in every frame.
        const lost = frame.index > 0 && GENERAL.has(name);
        return lost ? undefined : (await this.registers(thread)).get(name);
      },
      writeRegister: async (name, value) => {
        if (width(name) === undefined) throw noSuchRegister(name);
        if (frame.index > 0 && GENERAL.has(name) && frame.found !== 'registers') {
          throw notWritable(`$${name} of a calling function`);
        }
        await this.writeRegister(thread, name, value);
      },
      registerNames: () => this.target.registers.map(({ name }) => name),
    };
  }

  /** Everything is fetched anew: something was written. */
  private forget(): void {
    this.writes++;
    this.registerCache.clear();
    this.frameCache.clear();
    this.pages.clear();
    this.kernelMemory = this.newKernelMemory();
  }

  private newKernelMemory(): KernelMemory {
    return new KernelMemory(this.target, (thread) => this.paging(thread));
  }

  private page(thread: number, start: bigint): Promise<Uint8Array> {
    if (this.pages.size >= MOST_PAGES) this.pages.clear();
    return once(this.pages, `${thread}:${start}`, async () => {
      const seen = await this.target.readMemory(thread, start, PAGE);
      return (seen.length < PAGE ? await this.kernelMemory.read(thread, start, PAGE) : undefined) ?? seen;
    });
  }
}

/** Registers that every frame has its own value of. */
export const GENERAL: ReadonlySet<string> = new Set([
  ...['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'rip', 'eflags'],
  ...Array.from({ length: 8 }, (_, n) => `r${n + 8}`),
]);

export function fromLittleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** 64 bits; undefined where there are fewer. */
export function wordAt(bytes: Uint8Array, at: number): bigint | undefined {
  return bytes.length >= at + 8 ? fromLittleEndian(bytes.subarray(at, at + 8)) : undefined;
}

export function toLittleEndian(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));
}
