/** What the extension says to the Memory Map page. */
import type { MemoryMapPart } from '../../debug-adapter/protocol/custom.ts';

export interface ToMemoryMap {
  readonly kind: 'state';
  readonly map: MemoryMapPart | undefined;
  /** Shown where there is nothing else. */
  readonly note: string;
  readonly title: string;
  readonly ended: boolean;
}
