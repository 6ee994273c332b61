/** What a DAP variable reference stands for. */
import type { Value } from '../expressions/api.ts';
import type { FramePlace } from './session.ts';

export type Reference = { readonly place: FramePlace } & (
  | { readonly kind: 'variables'; readonly which: 'argument' | 'local' }
  /** One group of registers; the scope itself shows the general ones and the other groups below them. */
  | { readonly kind: 'registers'; readonly group: string }
  | { readonly kind: 'value'; readonly value: Value; readonly children: number; readonly indexed: boolean }
);
