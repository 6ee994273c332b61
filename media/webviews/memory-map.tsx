/** The Memory Map page: guest-physical memory to scale and as a table, and the I/O ports. */
import { render } from 'preact';
import type { MemoryMapPart } from '../../debug-adapter/protocol/custom.ts';
import type { ToMemoryMap } from '../../extension/novsc/memory-map-messages.ts';
import { portColumns, regionColumns } from '../../extension/novsc/memory-map-rows.ts';
import { placeRegions } from '../../extension/novsc/memory-regions.ts';
import { Picture, RegionFacts } from './memory-map/picture.tsx';
import { DataTable } from './parts/data-table.tsx';
import { Tabs } from './parts/tabs.tsx';
import { pageOf } from './parts/use-page.ts';

type State = Omit<ToMemoryMap, 'kind'>;

const empty: State = { map: undefined, note: '', title: '', ended: false };

const { post, usePage } = pageOf<State, ToMemoryMap, never>(empty, (_, message) => message);
export type Post = typeof post;

function MemoryMap() {
  const { map, note, ended } = usePage();
  if (!map) return <p class="note">{note}</p>;
  return (
    <main class={ended ? 'ended' : ''}>
      <Tabs
        label="Views of the memory map"
        tabs={[
          { key: 'picture', title: 'Picture', page: () => <Picture map={map} post={post} /> },
          { key: 'regions', title: 'Regions', page: () => <Regions map={map} /> },
          { key: 'ports', title: 'I/O ports', page: () => <Ports map={map} /> },
        ]}
      />
    </main>
  );
}

function Regions({ map }: { readonly map: MemoryMapPart }) {
  const all = [...map.regions, ...map.pageTables].flatMap((region) => placeRegions([region]));
  return (
    <DataTable
      label="Regions"
      unit={['region', 'regions']}
      columns={regionColumns}
      rows={all}
      rowKey={({ id }) => id}
      note="The guest has no memory."
      onOpen={({ region }) => post({ kind: 'go', to: 'physical', address: region.start })}
      onCopy={(text) => post({ kind: 'copy', text })}
      onExport={(format, text) => post({ kind: 'export', name: 'memory-map', format, text })}
      details={(placed) => <RegionFacts placed={placed} post={post} />}
    />
  );
}

function Ports({ map }: { readonly map: MemoryMapPart }) {
  return (
    <DataTable
      label="I/O ports"
      unit={['range', 'ranges']}
      columns={portColumns}
      rows={map.ports}
      rowKey={({ first, device }) => `${first} ${device}`}
      note="The guest has no I/O ports."
      onCopy={(text) => post({ kind: 'copy', text })}
      onExport={(format, text) => post({ kind: 'export', name: 'ports', format, text })}
    />
  );
}

const root = document.getElementById('root');
if (root) render(<MemoryMap />, root);
