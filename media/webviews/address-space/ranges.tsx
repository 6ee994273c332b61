/** Merged ranges of the address space with their rights. */
import type { AddressRange, AddressSpacePart } from '../../../debug-adapter/protocol/custom.ts';
import { rangeColumns, rangeFilters, share } from '../../../extension/novsc/address-space-rows.ts';
import { size } from '../../../extension/novsc/format.ts';
import type { Post } from '../address-space.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Facts } from '../parts/facts.tsx';

export function Ranges({ space, post }: { readonly space: AddressSpacePart; readonly post: Post }) {
  return (
    <DataTable
      label="Ranges"
      unit={['range', 'ranges']}
      columns={rangeColumns}
      rows={space.ranges}
      rowKey={({ start }) => start}
      filters={rangeFilters}
      note={space.mode === 'none' ? 'Paging is off: linear addresses are physical ones.' : 'Nothing is mapped.'}
      {...(space.truncated ? { remark: 'more is mapped than is shown' } : {})}
      onOpen={({ start }) => post({ kind: 'go', to: 'memory', address: start })}
      onCopy={(text) => post({ kind: 'copy', text })}
      onExport={(format, text) => post({ kind: 'export', name: 'address-space', format, text })}
      details={(range) => <RangeFacts range={range} post={post} />}
    />
  );
}

function RangeFacts({ range, post }: { readonly range: AddressRange; readonly post: Post }) {
  const { start, physical } = range;
  const used = `${share(range.accessed, range.size) || '0 %'} accessed, ${share(range.dirty, range.size) || '0 %'} dirty`;
  return (
    <Facts
      facts={[
        ['range', `${start}, ${size(BigInt(range.size))} in pages of ${size(BigInt(range.pageSize))}`],
        ['flags', range.flags.join(' ')],
        ['physical', physical ?? 'in pieces'],
        ['used', used],
        ...(range.region ? [['region', range.region] as const] : []),
      ]}
      actions={[
        { title: 'Memory', run: () => post({ kind: 'go', to: 'memory', address: start }) },
        { title: 'Disassembly', run: () => post({ kind: 'go', to: 'disassembly', address: start }) },
        { title: 'Page walk', run: () => post({ kind: 'go', to: 'walk', address: start }) },
        ...(physical === undefined
          ? []
          : [{ title: 'Physical memory', run: () => post({ kind: 'go', to: 'physical', address: physical }) }]),
      ]}
    />
  );
}
