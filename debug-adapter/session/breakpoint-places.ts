/** Where in the guest a breakpoint that was asked for goes, or why it goes nowhere. */
import { CRASH_KINDS } from '../linux/crash.ts';
import { CODE_FUNCTIONS, MODULE_FUNCTIONS } from '../linux/modules.ts';
import type { BreakpointPlace, SymbolIndex } from '../symbols/api.ts';
import type { BreakpointRequest } from './breakpoint-request.ts';
import type { SourcePaths } from './source-paths.ts';

interface Resolved {
  readonly places: readonly BreakpointPlace[];
  readonly message?: string;
}

const NOWHERE = { file: '', line: 0, column: 0 };

export async function placesOf(
  request: BreakpointRequest,
  { symbols, sources }: { readonly symbols: SymbolIndex | undefined; readonly sources: SourcePaths },
): Promise<Resolved> {
  switch (request.kind) {
    case 'instruction':
    case 'data':
      return { places: [{ address: request.address, line: NOWHERE }] };
    case 'function':
      return placesOfFunction(request.name, symbols);
    case 'crash':
      return placesOfCrash(request.filter, symbols);
    case 'modules':
      return placesInLinux(MODULE_FUNCTIONS, symbols);
    case 'code':
      return placesInLinux(CODE_FUNCTIONS, symbols);
    case 'source': {
      if (!symbols) return { places: [], message: 'The program has no symbols: set "symbols" in launch.json.' };
      const files = sources.recordedFor(request.path);
      if (files.length === 0) {
        return {
          places: [],
          message: 'This file is not part of the program, or "sourceMap" in launch.json is missing.',
        };
      }
      const found = await Promise.all(files.map((file) => symbols.placesFor(file, request.line)));
      const places = unique(found.flat());
      return places.length > 0 ? { places } : { places, message: 'There is no code at this line or after it.' };
    }
  }
}

async function placesOfFunction(name: string, symbols: SymbolIndex | undefined): Promise<Resolved> {
  const literal = /^\*\s*(0x[0-9a-f]{1,16})$/i.exec(name.trim())?.[1];
  if (literal) return { places: [{ address: BigInt(literal), line: NOWHERE }] };
  const places = unique((await symbols?.placesForFunction(name)) ?? []);
  if (places.length > 0) return { places };
  const code = symbols?.functionSymbols(name) ?? [];
  if (code.length > 0) return { places: code.map(({ address }) => ({ address, line: NOWHERE })) };
  return { places: [], message: `The program has no function "${name}".` };
}

function placesOfCrash(filter: string, symbols: SymbolIndex | undefined): Resolved {
  const { functions = [], needs } = CRASH_KINDS.find((kind) => kind.filter === filter) ?? {};
  const needed = needs === undefined ? undefined : placesInLinux([needs], symbols);
  return needed?.places.length === 0 ? needed : placesInLinux(functions, symbols);
}

/** Where functions begin, with their arguments in registers, but for the call that ftrace looks for at boot: a trap there breaks it. */
function placesInLinux(names: readonly string[], symbols: SymbolIndex | undefined): Resolved {
  const isLinux = symbols && symbols.symbolsNamed('init_task').length > 0;
  const found = isLinux ? names.flatMap((name) => symbols.symbolsNamed(name).slice(0, 1)) : [];
  const placed = found.map(({ address }) => ({ address: symbols?.pastTracer(address) ?? address, line: NOWHERE }));
  if (placed.length > 0) return { places: placed };
  const message = isLinux ? `This kernel has no ${names.join(' or ')}.` : 'No Linux with known symbols runs here.';
  return { places: [], message };
}

function unique(places: readonly BreakpointPlace[]): readonly BreakpointPlace[] {
  return [...new Map(places.map((place) => [place.address, place])).values()];
}
