/** Names of C++ (Itanium C++ ABI, 5.1) and Rust (legacy and v0, RFC 2603) as people write them. */
import { readFileSync } from 'node:fs';
import { createContext, Script } from 'node:vm';
import * as demangler from 'gecko-profiler-demangle/index_bg.js';
import type { ImageSymbol, SymbolIndex } from './api.ts';
import { besideBundle } from './beside-bundle.ts';

const mangled = /^_(?:Z|R[A-Z0-9])/;
const longestName = 4096;
/** Longer ones are cut: they are to be read. */
const longestReadable = 1024;
/**
 * A name of 200 letters can refer to itself so often that it means gigabytes; an honest one takes microseconds, and on the busiest
 * machine less than this. The first that takes so long is the last that is tried, as breaking it off leaves the demangler in
 * no known state.
 */
const mostMilliseconds = 1000;
const mostKnown = 10_000;

const known = new Map<string, string>();
/** Run with a limit of time, which functions alone do not have. */
const call = new Script('demangle(name)');
/** What {@link call} sees; made for the first mangled name. */
let scope: { demangle: (name: string) => string; name: string } | undefined;

/** Whether a name in a table of strings begins as mangled ones do. */
export function isMangled(strings: Uint8Array, at: number): boolean {
  return strings[at] === 0x5f && mangled.test(Buffer.from(strings.subarray(at, at + 3)).toString('latin1'));
}

/** The name itself where it is not mangled, or cannot be read. */
export function readableName(name: string): string {
  if (!mangled.test(name) || name.length > longestName) return name;
  let readable = known.get(name);
  if (readable === undefined) {
    readable = read(name);
    if (known.size >= mostKnown) known.clear();
    known.set(name, readable);
  }
  return readable;
}

function read(name: string): string {
  scope ??= createContext({ demangle: load(), name }) as NonNullable<typeof scope>;
  scope.name = name;
  try {
    const text: string = call.runInContext(scope, { timeout: mostMilliseconds });
    // What fits no scheme loses its underscore, as on macOS.
    return text === name.slice(1) ? name : text.slice(0, longestReadable);
  } catch {
    scope.demangle = (each) => each;
    return name;
  }
}

/** The part of the WebAssembly interface that is used here; TypeScript has it only with the browser's types. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (code: object, imports: object) => { readonly exports: { __wbindgen_start(): void } };
};

function load(): (name: string) => string {
  const code = new WebAssembly.Module(readFileSync(besideBundle('gecko-profiler-demangle/index_bg.wasm')));
  const { exports } = new WebAssembly.Instance(code, { './index_bg.js': { ...demangler } });
  demangler.__wbg_set_wasm(exports);
  exports.__wbindgen_start();
  return demangler.demangle_any;
}

/** `name` or `name+0x10` of the symbol that an address lies in. */
export function symbolOffset(symbol: ImageSymbol, address: bigint): string {
  const name = readableName(symbol.name);
  const offset = address - symbol.address;
  return offset === 0n ? name : `${name}+0x${offset.toString(16)}`;
}

/** Symbols without a size, as of assembly, stand for what follows, but not for megabytes of it. */
const MAX_OFFSET_WITHOUT_SIZE = 0x10000n;

/** {@link symbolOffset} of an address; undefined where no symbol covers it. */
export function symbolText(address: bigint, symbols: SymbolIndex | undefined): string | undefined {
  const symbol = symbols?.symbolAt(address);
  if (!symbol) return undefined;
  const offset = address - symbol.address;
  if (offset < 0n || offset >= (symbol.size || MAX_OFFSET_WITHOUT_SIZE)) return undefined;
  return symbolOffset(symbol, address);
}
