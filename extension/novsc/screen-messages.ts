/** What the extension and the Screen page say to each other. */
import type { Screen, ScreenUpdate } from '../../debug-adapter/protocol/custom.ts';

export interface ScreenState {
  readonly kind: 'state';
  /** Undefined where there is no picture. */
  readonly screen: Screen | undefined;
  /** Said in the picture's place. */
  readonly note: string;
  readonly phase: 'running' | 'stopped' | 'ended';
}

/** Rows of the picture that changed. */
export interface ScreenRows extends Pick<ScreenUpdate, 'screen' | 'rows'> {
  readonly kind: 'rows';
  /** Deflated, as {@link ScreenUpdate.data}. */
  readonly data: Uint8Array;
}

export type ToScreenPage = ScreenState | ScreenRows;

/** `png`: the picture, to be saved as a file. */
export interface FromScreenPage {
  readonly kind: 'save';
  readonly png: Uint8Array;
}
