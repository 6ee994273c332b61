/** The Address Space page: all that one CR3 maps, as ranges, as a heat map, and as what changed; and the way back. */
import { render } from 'preact';
import type { AddressSpacePart } from '../../debug-adapter/protocol/custom.ts';
import type { Found, FromAddressSpace, ToAddressSpace } from '../../extension/novsc/address-space-messages.ts';
import { Changes } from './address-space/changes.tsx';
import { Find } from './address-space/find.tsx';
import { Heat } from './address-space/heat.tsx';
import { Ranges } from './address-space/ranges.tsx';
import { Tabs } from './parts/tabs.tsx';
import { pageOf } from './parts/use-page.ts';

interface State {
  readonly space: AddressSpacePart | undefined;
  readonly note: string;
  readonly title: string;
  readonly ended: boolean;
  readonly found: Found | undefined;
}

const empty: State = { space: undefined, note: '', title: '', ended: false, found: undefined };

const { post, usePage } = pageOf<State, ToAddressSpace, FromAddressSpace>(empty, (state, message) =>
  message.kind === 'found' ? { ...state, found: message.found } : { ...state, ...message },
);
export type Post = typeof post;

function AddressSpace() {
  const { space, note, title, ended, found } = usePage();
  if (!space) return <p class="note">{note}</p>;
  return (
    <main class={ended ? 'ended' : ''}>
      <header>
        <span class="count">
          {title}, CR3 {space.cr3}
          {space.current ? '' : ' (not the one in use)'}, {space.mode}, {space.tables} tables
        </span>
        <button type="button" onClick={() => post({ kind: 'askCr3' })}>
          Other CR3
        </button>
        {!space.current && (
          <button type="button" onClick={() => post({ kind: 'choose', pages: {} })}>
            The vCPU's CR3
          </button>
        )}
      </header>
      <Tabs
        label="Views of the address space"
        tabs={[
          { key: 'ranges', title: 'Ranges', page: () => <Ranges space={space} post={post} /> },
          { key: 'heat', title: 'Heat map', page: () => <Heat heat={space.heat} post={post} /> },
          { key: 'changes', title: 'Changes', page: () => <Changes space={space} post={post} /> },
          { key: 'find', title: 'Find physical', page: () => <Find found={found} post={post} /> },
        ]}
      />
    </main>
  );
}

const root = document.getElementById('root');
if (root) render(<AddressSpace />, root);
