/** Call frame information: finding the entry for an address. DWARF 5, 6.4.1; LSB 5.0, 10.6 for `.eh_frame`. */
import { lastAtMost, sortedOrder } from './addresses.ts';
import { Cursor } from './bytes.ts';
import type { DebugInfo } from './debug-info.ts';
import { isAbsent, readPointer } from './eh-pointer.ts';
import type { ElfFile, ElfSection } from './elf.ts';

/** Common information entry. */
interface Cie {
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  readonly returnRegister: number;
  readonly addressSize: number;
  readonly pointerEncoding: number;
  readonly hasAugmentationData: boolean;
  /** 'S': frames of this kind were interrupted, they did not call. */
  readonly signalFrame: boolean;
  readonly instructions: Cursor;
}

/** Frame description entry: the rules for one range of code. */
export interface Fde {
  readonly low: number;
  readonly high: number;
  readonly cie: Cie;
  readonly instructions: () => Cursor;
}

/** Where the entries of a section are: a kernel has 60,000 of them, of which a session needs a few. */
interface EntryTable {
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Position of each entry in the section. */
  readonly at: Uint32Array;
}

class EntryList {
  private readonly low: number[] = [];
  private readonly high: number[] = [];
  private readonly at: number[] = [];

  add(low: number, high: number, at: number): void {
    this.low.push(low);
    this.high.push(high);
    this.at.push(at);
  }

  sorted(): EntryTable {
    const order = sortedOrder(Float64Array.from(this.low));
    const pick = (from: readonly number[]) => Float64Array.from(order, (index) => from[index] as number);
    return { low: pick(this.low), high: pick(this.high), at: Uint32Array.from(pick(this.at)) };
  }
}

/** All entries of one section, found once and parsed when asked. */
class FrameSection {
  private readonly cies = new Map<number, Cie>();
  private sorted: EntryTable | undefined;

  constructor(
    private readonly info: DebugInfo,
    private readonly elf: ElfFile,
    private readonly section: ElfSection,
    private readonly isEh: boolean,
  ) {}

  private get bytes(): Uint8Array {
    return this.elf.bytes(this.section);
  }

  find(distance: number): Fde | undefined {
    this.sorted ??= this.scan();
    const { low, high, at } = this.sorted;
    const index = lastAtMost(low.length, (entry) => low[entry] as number, distance);
    for (let entry = index; entry >= 0 && entry > index - 4; entry--) {
      if (distance >= (high[entry] as number)) continue;
      const found = this.entryAt(at[entry] as number);
      return found && this.readFde(found);
    }
    return undefined;
  }

  private scan(): EntryTable {
    const { bytes } = this;
    const cursor = new Cursor(bytes, 0, this.section.name);
    const found = new EntryList();
    this.info.tolerate(() => {
      while (cursor.left >= 4) {
        const start = cursor.at;
        const { end, idAt, id, idSize } = this.readHead(cursor);
        if (end === idAt) break;
        if (id !== this.cieMark(idSize) && cursor.at < end)
          this.info.tolerate(() => {
            const cie = this.cieAt(this.isEh ? idAt - id : id);
            const { low, high } = this.readRange(cursor, cie);
            if (low < high && this.info.isLoaded(low)) found.add(low, high, start);
          }, undefined);
        cursor.at = end;
      }
    }, undefined);
    return found.sorted();
  }

  /** Length and id of an entry, the cursor behind them; `end` is `idAt` for the end mark of `.eh_frame`. */
  private readHead(cursor: Cursor): { end: number; idAt: number; id: number; idSize: number } {
    let length = cursor.u32();
    let idSize = 4;
    if (length === 0xffff_ffff) {
      length = cursor.u64AsNumber();
      idSize = this.isEh ? 4 : 8;
    }
    const idAt = cursor.at;
    if (length === 0) return { end: idAt, idAt, id: 0, idSize };
    if (length > cursor.left) cursor.fail('frame entry goes on behind the section');
    if (length < idSize) cursor.fail('frame entry is too short');
    // The mark of a CIE in 64-bit format is not exact as a number, but no offset comes near it.
    const id = idSize === 8 ? Number(cursor.u64()) : cursor.u32();
    return { end: idAt + length, idAt, id, idSize };
  }

  private cieMark(idSize: number): number {
    if (this.isEh) return 0;
    return idSize === 8 ? 2 ** 64 : 0xffff_ffff;
  }

  /** The entry at a position, the cursor behind its id; undefined at the end mark of `.eh_frame`. */
  private entryAt(at: number): { cursor: Cursor; isCie: boolean; cieAt: number } | undefined {
    const start: Cursor = new Cursor(this.bytes, at, this.section.name);
    const { end, idAt, id, idSize } = this.readHead(start);
    if (end === idAt) return undefined;
    const cursor = new Cursor(this.bytes, start.at, this.section.name, end);
    return { cursor, isCie: id === this.cieMark(idSize), cieAt: this.isEh ? idAt - id : id };
  }

  /** The code that an entry is for; leaves the cursor behind it. */
  private readRange(cursor: Cursor, cie: Cie): { low: number; high: number } {
    const bases = { addressSize: cie.addressSize, sectionAddress: this.section.address };
    const low = this.info.addresses.toDistance(readPointer(cursor, cie.pointerEncoding, bases));
    // The length has the pointer's format but is relative to nothing.
    return { low, high: low + Number(readPointer(cursor, cie.pointerEncoding & 0x0f, bases)) };
  }

  private readFde({ cursor, cieAt }: { cursor: Cursor; cieAt: number }): Fde {
    const cie = this.cieAt(cieAt);
    const range = this.readRange(cursor, cie);
    const at = cursor.at;
    const instructions = () => {
      const own = new Cursor(this.bytes, at, this.section.name, cursor.end);
      if (cie.hasAugmentationData) own.skip(own.uleb());
      return own;
    };
    return { ...range, cie, instructions };
  }

  private cieAt(at: number): Cie {
    let cie = this.cies.get(at);
    if (!cie) {
      cie = this.readCie(at);
      this.cies.set(at, cie);
    }
    return cie;
  }

  private readCie(at: number): Cie {
    const entry = this.entryAt(at);
    if (!entry?.isCie) return new Cursor(this.bytes, 0, this.section.name).fail(`no common frame entry at ${at}`);
    const cursor: Cursor = entry.cursor;
    const version = cursor.u8();
    if (version !== 1 && version !== 3 && version !== 4) cursor.fail(`frame entry version ${version} is not supported`);
    const augmentation = cursor.string();
    let addressSize: number = this.info.addresses.wordSize;
    if (version >= 4) {
      addressSize = cursor.u8();
      cursor.skip(1);
      if (addressSize !== 4 && addressSize !== 8) cursor.fail(`addresses of ${addressSize} bytes are not supported`);
    }
    const codeAlignment = cursor.uleb();
    const dataAlignment = cursor.sleb();
    const returnRegister = version === 1 ? cursor.u8() : cursor.uleb();
    let pointerEncoding = 0;
    let signalFrame = augmentation === 'S';
    const hasAugmentationData = augmentation.startsWith('z');
    if (hasAugmentationData) {
      const size = cursor.uleb();
      const instructionsAt = cursor.at + size;
      for (const letter of augmentation.slice(1)) {
        if (letter === 'R') pointerEncoding = cursor.u8();
        else if (letter === 'L') cursor.skip(1);
        else if (letter === 'P')
          readPointer(cursor, cursor.u8(), { addressSize, sectionAddress: this.section.address });
        else if (letter === 'S') signalFrame = true;
        else break;
      }
      cursor.at = cursor.at <= instructionsAt && instructionsAt <= cursor.end ? instructionsAt : cursor.end;
    } else if (augmentation !== '' && !signalFrame)
      cursor.fail(`augmentation '${augmentation.slice(0, 8)}' is not known`);
    if (isAbsent(pointerEncoding)) cursor.fail('frame entries without addresses');
    return {
      codeAlignment,
      dataAlignment,
      returnRegister,
      addressSize,
      pointerEncoding,
      hasAugmentationData,
      signalFrame,
      instructions: cursor,
    };
  }
}

/** `.debug_frame`, then `.eh_frame`. */
export class CallFrames {
  private readonly sections: readonly FrameSection[];

  constructor(info: DebugInfo) {
    const { elf, dwarf } = info;
    const debug = dwarf.section('.debug_frame') ?? dwarf.section('.zdebug_frame');
    const eh = elf.section('.eh_frame');
    this.sections = [
      ...(debug ? [new FrameSection(info, dwarf, debug, false)] : []),
      ...(eh ? [new FrameSection(info, elf, eh, true)] : []),
    ];
  }

  find(distance: number): Fde | undefined {
    for (const section of this.sections) {
      const found = section.find(distance);
      if (found) return found;
    }
    return undefined;
  }
}
