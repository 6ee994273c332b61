/** Call frame information: finding the entry for an address. DWARF 5, 6.4.1; LSB 5.0, 10.6 for `.eh_frame`. */
import { lastAtMost } from './addresses.ts';
import { Cursor } from './bytes.ts';
import type { DebugInfo } from './debug-info.ts';
import { isAbsent, type PointerBases, readPointer } from './eh-pointer.ts';
import type { ElfSection } from './elf.ts';

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

/** All entries of one section, found once and parsed when asked. */
class FrameSection {
  private readonly bytes: Uint8Array;
  private readonly cies = new Map<number, Cie>();
  private sorted: readonly Fde[] | undefined;

  constructor(
    private readonly info: DebugInfo,
    private readonly section: ElfSection,
    private readonly isEh: boolean,
  ) {
    this.bytes = info.elf.bytes(section);
  }

  find(distance: number): Fde | undefined {
    this.sorted ??= this.scan().sort((a, b) => a.low - b.low);
    const list = this.sorted;
    const index = lastAtMost(list.length, (at) => (list[at] as Fde).low, distance);
    for (let at = index; at >= 0 && at > index - 4; at--) {
      const entry = list[at] as Fde;
      if (distance < entry.high) return entry;
    }
    return undefined;
  }

  private scan(): Fde[] {
    const entries: Fde[] = [];
    for (let at = 0; at + 4 <= this.bytes.length; ) {
      const entry = this.info.tolerate(() => this.entryAt(at), undefined);
      if (!entry) break;
      if (!entry.isCie && entry.idAt + entry.idSize < entry.cursor.end) {
        const fde = this.info.tolerate(() => this.readFde(entry), undefined);
        if (fde && fde.low < fde.high && this.info.isLoaded(fde.low)) entries.push(fde);
      }
      at = entry.cursor.end;
    }
    return entries;
  }

  /** The cursor stands behind the id; undefined at the end mark of `.eh_frame`. */
  private entryAt(at: number) {
    const start: Cursor = new Cursor(this.bytes, at, this.section.name);
    let length = start.u32();
    let idSize = 4;
    if (length === 0xffff_ffff) {
      length = start.u64AsNumber();
      idSize = this.isEh ? 4 : 8;
    }
    if (length === 0) return undefined;
    if (length > start.left) start.fail('frame entry goes on behind the section');
    const cursor = new Cursor(this.bytes, start.at, this.section.name, start.at + length);
    const idAt = cursor.at;
    if (length < idSize) cursor.fail('frame entry is too short');
    const id = idSize === 8 ? cursor.u64() : BigInt(cursor.u32());
    const cieMark = this.isEh ? 0n : idSize === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
    const cieAt = this.isEh ? idAt - Number(id) : Number(id);
    return { cursor, idAt, idSize, isCie: id === cieMark, cieAt };
  }

  private readFde({ cursor, cieAt }: { cursor: Cursor; cieAt: number }): Fde {
    const cie = this.cieAt(cieAt);
    const { addresses } = this.info;
    const bases = this.bases(cie);
    const start = readPointer(cursor, cie.pointerEncoding, bases);
    // The length has the pointer's format but is relative to nothing.
    const length = readPointer(cursor, cie.pointerEncoding & 0x0f, bases);
    const low = addresses.toDistance(start);
    const at = cursor.at;
    const instructions = () => {
      const own = new Cursor(this.bytes, at, this.section.name, cursor.end);
      if (cie.hasAugmentationData) own.skip(own.uleb());
      return own;
    };
    return { low, high: low + Number(length), cie, instructions };
  }

  private bases(cie: { addressSize: number }): PointerBases {
    return { addressSize: cie.addressSize, sectionAddress: this.section.address };
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
    const { elf } = info;
    const debug = elf.section('.debug_frame') ?? elf.section('.zdebug_frame');
    const eh = elf.section('.eh_frame');
    this.sections = [
      ...(debug ? [new FrameSection(info, debug, false)] : []),
      ...(eh ? [new FrameSection(info, eh, true)] : []),
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
