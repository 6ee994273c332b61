/** Symbols of kernel modules, which come and go with the modules: from the files of the build that vmlinux is of. */
import { dirname } from 'node:path';
import { orNothing } from '../linux/linux-error.ts';
import { moduleFiles } from '../linux/module-files.ts';
import { newestModule, type PlacedModule, readPlacedModules } from '../linux/modules.ts';
import { cacheFolder } from '../symbols/index/cache.ts';
import { openSymbols } from '../symbols/symbols.ts';
import type { BreakpointRequest } from './breakpoint-request.ts';
import { describeError } from './errors.ts';
import type { Guest } from './guest.ts';
import { isIndexed } from './named-threads.ts';
import { linuxKernel } from './state/linux-kernel.ts';
import type { StopState } from './stop-state.ts';

/** Where the guest is stopped without the user seeing it: a module is about to run, or to go. */
export const MODULE_TRAPS: readonly BreakpointRequest[] = [{ kind: 'modules' }];

export class ModuleSymbols {
  private newest: bigint | undefined;
  /** Files that proved to be of no use. */
  private readonly bad = new Set<string>();

  private constructor(
    private readonly guest: Guest,
    private readonly files: ReadonlyMap<string, string>,
    private readonly complain: (message: string) => void,
  ) {}

  /** Undefined where no files of modules are known. */
  static async of(guest: Guest, complain: (message: string) => void): Promise<ModuleSymbols | undefined> {
    const { symbols } = guest;
    if (!symbols || symbols.symbolsNamed('do_init_module').length === 0) return undefined;
    const files = await moduleFiles(dirname(symbols.path));
    return files.size > 0 ? new ModuleSymbols(guest, files, complain) : undefined;
  }

  /** Whether modules came since it was last asked, as far as that can be told at once. */
  async isOutdated(state: StopState): Promise<boolean> {
    if (!(await isIndexed(state.symbols?.indexed))) return false;
    const newest = await orNothing(async () => newestModule(await linuxKernel(this.guest, state)));
    return newest !== undefined && newest !== this.newest;
  }

  /** Has the symbols follow what is loaded at this stop; true where something changed. */
  async follow(state: StopState): Promise<boolean> {
    const { symbols } = this.guest;
    if (!symbols) return false;
    const modules = await orNothing(async () => {
      const kernel = await linuxKernel(this.guest, state);
      this.newest = await newestModule(kernel);
      return readPlacedModules(kernel, (name) => this.files.has(name) && !this.bad.has(name));
    });
    if (!modules) return false;
    const leaving = await this.leaving(state);
    const here = new Map(modules.filter(({ address }) => address !== leaving).map((module) => [module.name, module]));
    const gone = [...symbols.additions.keys()].filter((name) => !here.has(name));
    const come = [...here.values()].filter(({ name }) => !symbols.additions.has(name));
    for (const name of gone) symbols.unload(name);
    // Memory of what ran only once, at the start, goes to others.
    for (const { name, ranges } of here.values()) symbols.move(name, ranges);
    for (const module of come) await this.load(module);
    return gone.length + come.length > 0;
  }

  /** The module that is being taken away right here. */
  private async leaving(state: StopState): Promise<bigint | undefined> {
    const registers = await state.values(state.stop.thread);
    const { symbols } = this.guest;
    const [free] = symbols?.symbolsNamed('free_module') ?? [];
    return free && symbols?.pastTracer(free.address) === registers.get('rip') ? registers.get('rdi') : undefined;
  }

  private async load({ name, sections, ranges }: PlacedModule): Promise<void> {
    const path = this.files.get(name) ?? '';
    try {
      const symbols = await openSymbols(path, { placed: sections, cache: cacheFolder() });
      await symbols.indexed;
      this.guest.symbols?.load(name, symbols, ranges);
    } catch (error) {
      this.bad.add(name);
      this.complain(`No symbols of the module ${name}: ${path}: ${describeError(error).message}\n`);
    }
  }
}
