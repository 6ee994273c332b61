/**
 * Split DWARF: units of which the image has but skeletons, while each is as a whole in a file of its own, `.dwo`. DWARF 5,
 * 3.1.2, 3.1.3 and 7.3.2. Files of DWARF 4, GNU's extension, are not read.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { SymbolFileError } from './api.ts';
import type { DebugInfo } from './debug-info.ts';
import { attribute, unitType } from './dwarf-constants.ts';
import { ElfFile, type ElfSection } from './elf.ts';
import { Unit, type UnitHeader } from './unit.ts';
import { type UnitPart, unitPart } from './unit-part.ts';

/** Offsets of entries are kept in 32 bits. */
const mostBytes = 0xffff_ffff;

interface SplitUnit {
  readonly part: UnitPart;
  readonly header: UnitHeader;
}

export class SplitDwarf {
  /** All units of the files in the order of their offsets, numbered behind those of the image. */
  readonly units: Unit[] = [];
  /** By their skeletons. */
  readonly fullUnits = new Map<Unit, Unit>();
  private readonly files: ElfFile[] = [];
  private end: number;

  /** Opens the files that the units of an image name. What is missing or does not fit is noted in `info.problems`. */
  constructor(
    private readonly info: DebugInfo,
    private readonly own: readonly Unit[],
  ) {
    const last = own.at(-1)?.part;
    this.end = last ? last.bias + last.size : 0;
    for (const [path, skeletons] of this.named()) info.tolerate(() => this.add(path, skeletons), undefined);
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  /** Skeletons by the files that they name. */
  private named(): Map<string, Unit[]> {
    const named = new Map<string, Unit[]>();
    for (const unit of this.own) {
      if (unit.header.type !== unitType.skeleton) continue;
      const name = this.info.tolerate(() => unit.root.string(attribute.dwoName), undefined);
      if (name === undefined) continue;
      const path = pathOf(name, unit.directory, this.info.dwarf.path);
      const known = named.get(path);
      if (known) known.push(unit);
      else named.set(path, [unit]);
    }
    return named;
  }

  private add(path: string, skeletons: readonly Unit[]): void {
    const elf = openFile(path);
    this.files.push(elf);
    const byId = new Map(skeletons.map((skeleton) => [skeleton.header.dwoId, skeleton]));
    for (const { part, header } of this.unitsIn(elf)) {
      const isFull = header.type === unitType.splitCompile;
      const skeleton = isFull ? byId.get(header.dwoId) : skeletons[0];
      if (!skeleton) continue;
      const unit = new Unit(this.info, header, part, this.own.length + this.units.length, skeleton);
      this.units.push(unit);
      if (isFull) this.fullUnits.set(skeleton, unit);
    }
    if (skeletons.some((skeleton) => !this.fullUnits.has(skeleton)))
      throw new SymbolFileError(`${path} is of another build than the image`);
  }

  /** A file has a section for each type, which a linker would have left out where another file has it, too. */
  private unitsIn(elf: ElfFile): SplitUnit[] {
    return elf.sections
      .filter(({ name }) => name === '.debug_info.dwo' || name === '.zdebug_info.dwo')
      .flatMap((section) => this.unitsOf(elf, section));
  }

  private unitsOf(elf: ElfFile, section: ElfSection): SplitUnit[] {
    const part = this.info.tolerate(() => unitPart(elf, section, this.end, '.dwo'), undefined);
    if (!part || this.end + part.size > mostBytes) return [];
    this.end += part.size;
    return this.info.readHeaders(part).map((header) => ({ part, header }));
  }
}

function openFile(path: string): ElfFile {
  try {
    return ElfFile.open(path);
  } catch (error) {
    if (error instanceof SymbolFileError || !(error instanceof Error)) throw error;
    throw new SymbolFileError(`the split DWARF in ${path} cannot be read: ${error.message}`);
  }
}

/** Where the compiler put it, or, where that is gone, by its path or name beside the image. */
function pathOf(name: string, compiledIn: string, image: string): string {
  const recorded = isAbsolute(name) ? name : join(compiledIn, name);
  const beside = dirname(image);
  return [recorded, join(beside, name), join(beside, basename(name))].find((path) => existsSync(path)) ?? recorded;
}
