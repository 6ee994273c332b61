/** What the extension and the Address Space page say to each other. */
import type { AddressMapping, AddressSpacePart, Hex, PagesChoice } from '../../debug-adapter/protocol/custom.ts';

/** The answer to a search for a guest-physical address, or why there is none. */
export type Found =
  | { readonly physical: Hex; readonly mappings: readonly AddressMapping[]; readonly truncated: boolean }
  | { readonly error: string };

export type ToAddressSpace =
  /** `note` is shown where there is nothing else, `title` says of which stop and vCPU the state is. */
  | {
      readonly kind: 'state';
      readonly space: AddressSpacePart | undefined;
      readonly note: string;
      readonly title: string;
      readonly ended: boolean;
    }
  | { readonly kind: 'found'; readonly found: Found };

export type FromAddressSpace =
  | { readonly kind: 'choose'; readonly pages: PagesChoice }
  /** Asks the user for another root. */
  | { readonly kind: 'askCr3' }
  | { readonly kind: 'find'; readonly physical: string };
