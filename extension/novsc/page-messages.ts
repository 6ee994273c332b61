/** What every page with a table can ask the extension for. */
import type { Hex } from '../../debug-adapter/protocol/custom.ts';
import type { ExportFormat } from './table.ts';

/** `code` is the source line, or the disassembly where there is none; `screen` the picture in a framebuffer. */
export type Destination = 'code' | 'disassembly' | 'memory' | 'walk' | 'physical' | 'screen';

export type FromAnyPage =
  /** The page listens from now on. */
  | { readonly kind: 'ready' }
  /** Shows what is at a guest-virtual address, or guest-physical memory. */
  | { readonly kind: 'go'; readonly to: Destination; readonly address: Hex }
  | { readonly kind: 'copy'; readonly text: string }
  /** `name` is the file's, without what `format` adds. */
  | { readonly kind: 'export'; readonly name: string; readonly format: ExportFormat; readonly text: string };
