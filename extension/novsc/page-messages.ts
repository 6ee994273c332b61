/** What every page with a table can ask the extension for. */
import type { Hex } from '../../debug-adapter/protocol/custom.ts';
import type { ExportFormat } from './table.ts';

export type FromAnyPage =
  /** The page listens from now on. */
  | { readonly kind: 'ready' }
  /** Shows the code, the memory, the walk of a guest-virtual address, or guest-physical memory. */
  | { readonly kind: 'go'; readonly to: 'code' | 'memory' | 'walk' | 'physical'; readonly address: Hex }
  | { readonly kind: 'copy'; readonly text: string }
  /** `name` is the file's, without what `format` adds. */
  | { readonly kind: 'export'; readonly name: string; readonly format: ExportFormat; readonly text: string };
