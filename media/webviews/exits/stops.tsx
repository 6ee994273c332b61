/** What the guest stops on besides breakpoints: each with a way to take it back, and a line for a new one. */
import { useState } from 'preact/hooks';
import type { Column } from '../../../extension/novsc/table.ts';
import type { Post } from '../exits.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Facts } from '../parts/facts.tsx';

interface Stop {
  readonly line: string;
}

const columns: readonly Column<Stop>[] = [
  { key: 'line', title: 'Stops on', width: 'minmax(8em, 1fr)', text: ({ line }) => line },
];

export function Stops({ stops, post }: { readonly stops: readonly string[]; readonly post: Post }) {
  const [line, setLine] = useState('');
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (line.trim() === '') return;
          post({ kind: 'stopOn', line: line.trim(), on: true });
          setLine('');
        }}
      >
        <input
          aria-label="Stop on"
          placeholder="port 0x3f8 write, mmio 0xfed00000, msr 0x1b, exception 14, hypercall, exit io"
          value={line}
          onInput={(event) => setLine(event.currentTarget.value)}
        />
        <button type="submit">Add</button>
      </form>
      <DataTable
        label="Stops"
        unit={['stop', 'stops']}
        columns={columns}
        rows={stops.map((one) => ({ line: one }))}
        rowKey={(stop) => stop.line}
        note="The guest stops at breakpoints only. Choose an exit to stop on the next like it."
        onExport={(format, text) => post({ kind: 'export', name: 'stops', format, text })}
        onCopy={(text) => post({ kind: 'copy', text })}
        details={(stop) => (
          <Facts
            facts={[['stops on', stop.line]]}
            actions={[{ title: 'Remove', run: () => post({ kind: 'stopOn', line: stop.line, on: false }) }]}
          />
        )}
      />
    </>
  );
}
