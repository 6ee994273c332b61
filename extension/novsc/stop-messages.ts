/** Asks to stop the guest, or to stop it no more, on what `monitor stop-on` calls `line`. */
export interface FromStops {
  readonly kind: 'stopOn';
  readonly line: string;
  readonly on: boolean;
}
