/** What is loaded in the guest: the program, and what a Linux kernel has loaded since. */
import { basename } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { orNothing } from '../linux/linux-error.ts';
import { readModules } from '../linux/modules.ts';
import type { SymbolIndex } from '../symbols/api.ts';
import type { Area } from './area.ts';
import { optionalInteger } from './arguments.ts';
import type { Guest } from './guest.ts';
import { linuxKernel } from './state/linux-kernel.ts';
import type { StopState } from './stop-state.ts';

const MOST_MODULES = 10_000;

export const modules: Area = {
  capabilities: { supportsModulesRequest: true },
  handlers: {
    modules: async (session, args) => {
      const first = optionalInteger('startModule', args.startModule, 0, MOST_MODULES, 0);
      const wanted = optionalInteger('moduleCount', args.moduleCount, 0, MOST_MODULES, 0);
      const all = [...theProgram(session.guest), ...(await kernelModules(session.guest, session.presentStop))];
      return { modules: all.slice(first, wanted === 0 ? undefined : first + wanted), totalModules: all.length };
    },
  },
};

function theProgram({ symbols, program = '' }: Guest): readonly DebugProtocol.Module[] {
  if (!symbols) return [];
  const others = symbols.beside.map((other, n) => described(n + 2, other.path, other));
  return [{ ...described(1, program, symbols), addressRange: hex(symbols.entry) }, ...others];
}

const described = (id: number, path: string, symbols: SymbolIndex): DebugProtocol.Module => ({
  id,
  name: basename(path),
  symbolStatus: statusOf(symbols),
  path,
  symbolFilePath: symbols.path,
});

const statusOf = (symbols: SymbolIndex) =>
  symbols.sources().length > 0 ? 'Symbols and lines loaded.' : 'No line information.';

/** None of a guest that runs, or that is no Linux. */
async function kernelModules(guest: Guest, state: StopState | undefined): Promise<readonly DebugProtocol.Module[]> {
  if (!state) return [];
  const loaded = await orNothing(async () => readModules(await linuxKernel(guest, state)));
  return (loaded?.items ?? []).map(({ name, base, size }) => {
    const symbols = guest.symbols?.additions.get(name)?.symbols;
    const known = symbols && { symbolStatus: statusOf(symbols), path: symbols.path, symbolFilePath: symbols.path };
    return { id: name, name, ...known, addressRange: `${hex(base)}-${hex(base + size)}` };
  });
}
