/**
 * Split DWARF: units of which the image has but skeletons, while each is as a whole in a file of its own, `.dwo`, or with
 * others in a package, `.dwp`. DWARF 5, 3.1.2, 3.1.3 and 7.3.2 to 7.3.5; of DWARF 4, GNU's extension.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { SymbolFileError } from './api.ts';
import type { DebugInfo } from './debug-info.ts';
import { attribute, unitType } from './dwarf-constants.ts';
import { ElfFile, type ElfSection } from './elf.ts';
import { type PackageIndex, readPackageIndex } from './package-index.ts';
import { Unit } from './unit.ts';
import { debugSection, unitPart } from './unit-part.ts';

/** Offsets of entries are kept in 32 bits. */
const mostBytes = 0xffff_ffff;
/** A skeleton is one entry, so a longer unit is none. */
const longestSkeleton = 16 * 1024;
const unitSection = /^\.z?debug_(info|types)\.dwo$/;

export class SplitDwarf {
  /** All units of the files in the order of their offsets, numbered behind those of the image. */
  readonly units: Unit[] = [];
  /** By their skeletons. */
  readonly fullUnits = new Map<Unit, Unit>();
  readonly files: ElfFile[] = [];
  private end: number;

  /** Opens the files that the units of an image name. What is missing or does not fit is noted in `info.problems`. */
  constructor(
    private readonly info: DebugInfo,
    private readonly own: readonly Unit[],
  ) {
    const last = own.at(-1)?.part;
    this.end = last ? last.bias + last.size : 0;
    const mayBeOld = debugSection(info.dwarf, 'addr') !== undefined;
    const skeletons = own.filter((unit) => info.tolerate(() => isSkeleton(unit, mayBeOld), false));
    if (skeletons.length === 0) return;
    const path = packageOf(info);
    if (path !== undefined) info.tolerate(() => this.addPackage(path, skeletons), undefined);
    for (const [path, named] of this.named(skeletons)) info.tolerate(() => this.addFile(path, named), undefined);
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  /** Skeletons whose units were not found yet, by the files that they name. */
  private named(skeletons: readonly Unit[]): Map<string, Unit[]> {
    const named = new Map<string, Unit[]>();
    for (const unit of skeletons) {
      if (this.fullUnits.has(unit)) continue;
      const name = this.info.tolerate(() => dwoName(unit), undefined);
      if (name === undefined) continue;
      const path = pathOf(name, unit.directory, this.info.dwarf.path);
      const known = named.get(path);
      if (known) known.push(unit);
      else named.set(path, [unit]);
    }
    return named;
  }

  private addPackage(path: string, skeletons: readonly Unit[]): void {
    const elf = this.open(path);
    this.addUnits(elf, skeletons, readPackageIndex(elf));
    if (this.fullUnits.size === 0) throw new SymbolFileError(`${path} is of another build than the image`);
  }

  private addFile(path: string, skeletons: readonly Unit[]): void {
    this.addUnits(this.open(path), skeletons);
    if (skeletons.some((skeleton) => !this.fullUnits.has(skeleton)))
      throw new SymbolFileError(`${path} is of another build than the image`);
  }

  private open(path: string): ElfFile {
    const elf = openFile(path);
    this.files.push(elf);
    return elf;
  }

  /** A file has a section for each type, which a linker would have left out where another file has it, too. */
  private addUnits(elf: ElfFile, skeletons: readonly Unit[], index?: PackageIndex): void {
    const byId = new Map(skeletons.map((skeleton) => [skeleton.dwoId, skeleton]));
    for (const section of elf.sections.filter(({ name }) => unitSection.test(name)))
      this.info.tolerate(() => this.addSection(elf, section, byId, index), undefined);
  }

  private addSection(
    elf: ElfFile,
    section: ElfSection,
    skeletons: ReadonlyMap<bigint | undefined, Unit>,
    index: PackageIndex | undefined,
  ): void {
    const part = unitPart(elf, section, this.end, '.dwo');
    if (this.end + part.size > mostBytes) return;
    this.end += part.size;
    const placed = section.name.includes('types') ? index?.types : index?.info;
    const [any] = skeletons.values();
    for (const header of this.info.readHeaders(part)) {
      const own = placed?.get(header.offset - part.bias);
      if (index && !own) continue;
      const number = this.own.length + this.units.length;
      const unit = new Unit(this.info, header, part, number, any, own?.contributions);
      if (!unit.isType) {
        const skeleton = skeletons.get(own?.signature ?? this.info.tolerate(() => unit.dwoId, undefined));
        if (!skeleton) continue;
        unit.skeleton = skeleton;
        this.fullUnits.set(skeleton, unit);
      }
      this.units.push(unit);
    }
  }
}

/** Of DWARF 4, a unit like others but for an attribute. `mayBeOld`: the image has what such units need. */
function isSkeleton(unit: Unit, mayBeOld: boolean): boolean {
  const { version, type, size } = unit.header;
  if (version >= 5) return type === unitType.skeleton;
  return mayBeOld && size <= longestSkeleton && !unit.isType && unit.root.has(attribute.gnuDwoName);
}

const dwoName = (unit: Unit): string | undefined =>
  unit.root.string(unit.header.version < 5 ? attribute.gnuDwoName : attribute.dwoName);

function openFile(path: string): ElfFile {
  try {
    return ElfFile.open(path);
  } catch (error) {
    if (error instanceof SymbolFileError || !(error instanceof Error)) throw error;
    throw new SymbolFileError(`the split DWARF in ${path} cannot be read: ${error.message}`);
  }
}

/** The package beside the image or its DWARF, by the name that it has or that links lead to, as gdb finds it. */
function packageOf({ elf, dwarf }: DebugInfo): string | undefined {
  const paths = [elf.path, dwarf.path].flatMap((path) => (existsSync(path) ? [path, realpathSync(path)] : []));
  return paths.map((path) => `${path}.dwp`).find((path) => existsSync(path));
}

/** Where the compiler put it, or, where that is gone, by its path or name beside the image. */
function pathOf(name: string, compiledIn: string, image: string): string {
  const recorded = isAbsolute(name) ? name : join(compiledIn, name);
  const beside = dirname(image);
  return [recorded, join(beside, name), join(beside, basename(name))].find((path) => existsSync(path)) ?? recorded;
}
