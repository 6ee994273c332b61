/** A small guest for tests: memory, registers and hand-made symbols, with no image behind them. */
import type { Frame, ImageSymbol, Place, StaticPlace, SymbolIndex, Type, VariableInfo } from '../symbols/api.ts';
import type { EvaluationContext } from './api.ts';

export interface FakeGuest {
  readonly variables?: Readonly<Record<string, { readonly type: Type; readonly place: Place }>>;
  readonly types?: Readonly<Record<string, Type>>;
  readonly symbols?: readonly ImageSymbol[];
  readonly enumerators?: Readonly<Record<string, { readonly type: Type; readonly value: bigint }>>;
  /** Blocks of memory by address. */
  readonly memory?: readonly { readonly address: bigint; readonly bytes: Uint8Array }[];
  readonly registers?: Readonly<Record<string, Uint8Array>>;
  readonly machine?: 'x86-64' | 'i386';
}

export interface FakeContext extends EvaluationContext {
  /** Everything that was written, in order. */
  readonly writes: { readonly to: bigint | string; readonly bytes: Uint8Array }[];
  /** Bytes that were asked for, over all reads. */
  bytesRead: number;
}

export function fakeContext(guest: FakeGuest = {}): FakeContext {
  const memory = (guest.memory ?? []).map(({ address, bytes }) => ({ address, bytes: Uint8Array.from(bytes) }));
  const registers = new Map(Object.entries(guest.registers ?? {}));
  const blockAt = (address: bigint) =>
    memory.find((block) => address >= block.address && address < block.address + BigInt(block.bytes.length));
  const context: FakeContext = {
    writes: [],
    bytesRead: 0,
    symbols: fakeSymbols(guest),
    frame: fakeFrame(),
    async readMemory(address, length) {
      context.bytesRead += length;
      const block = blockAt(address);
      if (!block) return new Uint8Array(0);
      const offset = Number(address - block.address);
      return block.bytes.slice(offset, offset + length);
    },
    async writeMemory(address, bytes) {
      context.writes.push({ to: address, bytes });
      const block = blockAt(address);
      if (!block) throw new Error(`Cannot access memory at address 0x${address.toString(16)}`);
      block.bytes.set(bytes, Number(address - block.address));
    },
    readRegister: async (name) => registers.get(name),
    async writeRegister(name, bytes) {
      context.writes.push({ to: name, bytes });
      registers.set(name, bytes);
    },
    registerNames: () => [...registers.keys()],
  };
  return context;
}

function fakeFrame(): Frame {
  return {
    index: 0,
    pc: 0xffffffff80001000n,
    address: 0xffffffff80001000n,
    registers: new Map(),
    read: async () => new Uint8Array(0),
    level: 0,
    inlined: false,
    found: 'registers',
  };
}

function fakeSymbols({ variables = {}, types = {}, symbols = [], enumerators = {}, machine }: FakeGuest): SymbolIndex {
  const infos = Object.entries(variables).map(([name, { type }]): VariableInfo => ({ name, type, kind: 'local' }));
  return {
    path: 'fake',
    entry: 0n,
    sections: [{ name: '.text', address: 0xffffffff80001000n, size: 0x1000n }],
    machine: machine ?? 'x86-64',
    indexed: Promise.resolve(),
    stopIndexing: () => undefined,
    symbolAt: (address) =>
      symbols.find((each) => address >= each.address && address < each.address + (each.size || 1n)),
    symbolsNamed: (name) => symbols.filter((each) => each.name === name),
    functionSymbols: () => [],
    namesWithPrefix: (prefix) => symbols.map(({ name }) => name).filter((name) => name.startsWith(prefix)),
    sources: () => [],
    lineAt: () => undefined,
    placesFor: async () => [],
    linesWithCode: async () => [],
    placesForFunction: async () => [],
    bodyAt: () => undefined,
    pastTracer: (address) => address,
    pathAt: () => '',
    functionAt: () => undefined,
    inlineLevels: () => [],
    variablesAt: () => infos,
    globals: () => [],
    typeNamed: (name, kind) => types[kind ? `${kind} ${name}` : name],
    macro: () => undefined,
    enumerator: (name) => enumerators[name],
    locate: async ({ name }) => variables[name]?.place ?? { kind: 'optimized-out' },
    placeAt: ({ name }) => staticPlace(variables[name]?.place),
    unwind: async () => undefined,
  };
}

function staticPlace(place: Place | undefined): StaticPlace | undefined {
  if (place?.kind === 'memory') return { kind: 'memory', offset: place.address };
  return place?.kind === 'register' ? place : undefined;
}
