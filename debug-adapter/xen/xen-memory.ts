/**
 * The memory of a Xen in the guest, by its symbol table. Debian's Xen has no type information: of its structures only that is
 * read which can be told from what must hold there. Guest memory is not trusted.
 */
import type { ReadMemory, SymbolIndex } from '../symbols/api.ts';

/** What this Xen has not, or guest memory does not give; `message` is fit to be shown. */
export class XenError extends Error {
  override readonly name = 'XenError';
}

export const PAGE = 4096;
export const WORD = 8;

/** The variable that points to the first domain, and what tells by which tables a domain's events come. */
const KNOWN_BY = ['hardware_domain', 'evtchn_port_ops_2l'];

export const isXen = (symbols: SymbolIndex | undefined): symbols is SymbolIndex =>
  symbols !== undefined && KNOWN_BY.every((name) => symbols.symbolsNamed(name).length > 0);

export class XenMemory {
  private constructor(
    private readonly symbols: SymbolIndex,
    private readonly read: ReadMemory,
  ) {}

  /** @param read guest-virtual memory, through page tables that map Xen. Throws {@link XenError} where the symbols are not Xen's. */
  static of(symbols: SymbolIndex | undefined, read: ReadMemory): XenMemory {
    if (!isXen(symbols)) {
      throw new XenError(
        'No Xen with known symbols runs here. If the guest is Xen, set "symbols" in launch.json to its xen-syms.',
      );
    }
    return new XenMemory(symbols, read);
  }

  addressesOf(name: string): readonly bigint[] {
    return this.symbols.symbolsNamed(name).map(({ address }) => address);
  }

  /** Throws where not all of it is mapped. */
  async view(address: bigint, length: number): Promise<DataView> {
    const view = await this.mapped(address, length);
    if (!view) throw new XenError(`Memory of Xen's at 0x${address.toString(16)} is not mapped here.`);
    return view;
  }

  /** Undefined where not all of it is mapped. */
  async mapped(address: bigint, length: number): Promise<DataView | undefined> {
    const bytes = await this.read(address, length);
    return bytes.length < length ? undefined : new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /** 64 bits, unsigned. */
  async word(address: bigint): Promise<bigint> {
    return (await this.view(address, WORD)).getBigUint64(0, true);
  }
}
