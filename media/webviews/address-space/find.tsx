/** From a guest-physical address to all guest-virtual ones that stand for it. */
import { useState } from 'preact/hooks';
import type { Found } from '../../../extension/novsc/address-space-messages.ts';
import { mappingColumns } from '../../../extension/novsc/address-space-rows.ts';
import type { Post } from '../address-space.tsx';
import { DataTable } from '../parts/data-table.tsx';

export function Find({ found, post }: { readonly found: Found | undefined; readonly post: Post }) {
  const [physical, setPhysical] = useState('');
  const mappings = found && !('error' in found) ? found.mappings : [];
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (physical.trim() !== '') post({ kind: 'find', physical: physical.trim() });
        }}
      >
        <label for="physical">Guest-physical address</label>
        <input
          id="physical"
          placeholder="0x1000, or a C expression"
          value={physical}
          onInput={(event) => setPhysical(event.currentTarget.value)}
        />
        <button type="submit">Find</button>
      </form>
      <DataTable
        label="Mappings"
        unit={['address', 'addresses']}
        columns={mappingColumns}
        rows={mappings}
        rowKey={({ address }) => address}
        note={noteOf(found)}
        {...(found && !('error' in found) ? { remark: `of physical ${found.physical}` } : {})}
        onOpen={({ address }) => post({ kind: 'go', to: 'walk', address })}
        onCopy={(text) => post({ kind: 'copy', text })}
        onExport={(format, text) => post({ kind: 'export', name: 'mappings', format, text })}
      />
    </>
  );
}

function noteOf(found: Found | undefined): string {
  if (!found) return 'All addresses under which this CR3 maps a physical one.';
  return 'error' in found ? found.error : `Nothing maps physical ${found.physical}.`;
}
