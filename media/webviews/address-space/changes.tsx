/** What became of the address space since another stop. */
import type { AddressSpacePart } from '../../../debug-adapter/protocol/custom.ts';
import { changeColumns, changeFilters } from '../../../extension/novsc/address-space-rows.ts';
import type { Post } from '../address-space.tsx';
import { DataTable } from '../parts/data-table.tsx';

export function Changes({ space, post }: { readonly space: AddressSpacePart; readonly post: Post }) {
  const { earlier, diff } = space;
  const choose = (scan: number) =>
    post({ kind: 'choose', pages: { ...(space.current ? {} : { cr3: space.cr3 }), since: scan } });
  return (
    <>
      <header>
        <label for="since">Since</label>
        <select
          id="since"
          disabled={earlier.length === 0}
          value={diff?.since ?? ''}
          onChange={(event) => choose(Number(event.currentTarget.value))}
        >
          {!diff && <option value="">{earlier.length === 0 ? 'no earlier stop' : 'choose a stop'}</option>}
          {earlier.map(({ scan, title }) => (
            <option value={scan} key={scan}>
              {title} ({scan})
            </option>
          ))}
        </select>
      </header>
      <DataTable
        label="Changes"
        unit={['change', 'changes']}
        columns={changeColumns}
        rows={diff?.changes ?? []}
        rowKey={({ start }) => start}
        filters={changeFilters}
        note={
          diff
            ? 'Nothing has changed: the same pages with the same rights, and none was accessed or written for the first time.'
            : 'This is the first stop at which this page is open. Step or continue to see what changes.'
        }
        {...(diff?.truncated ? { remark: 'more than are shown' } : {})}
        onOpen={({ start }) => post({ kind: 'go', to: 'memory', address: start })}
        onCopy={(text) => post({ kind: 'copy', text })}
        onExport={(format, text) => post({ kind: 'export', name: 'address-space-changes', format, text })}
      />
    </>
  );
}
