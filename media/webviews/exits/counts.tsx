/** Exits of one kind, counted: how often, how fast, and what they cost. */
import type { ExitCount } from '../../../debug-adapter/protocol/custom.ts';
import { type ExitRow, exitKey } from '../../../extension/novsc/exit-counts.ts';
import type { ExitsState } from '../../../extension/novsc/exit-messages.ts';
import { countFacts, exitColumns, stopLine } from '../../../extension/novsc/exit-rows.ts';
import type { Post } from '../exits.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { type Action, Facts } from '../parts/facts.tsx';

interface Props {
  readonly label: string;
  readonly kind: ExitCount['kind'];
  readonly rows: readonly ExitRow[];
  readonly state: ExitsState;
  readonly post: Post;
}

export function Counts({ label, kind, rows, state, post }: Props) {
  const actions = (row: ExitRow): Action[] => {
    const { kind: counted, address } = row;
    if (counted === 'rip')
      return address ? [{ title: 'Go to Code', run: () => post({ kind: 'go', to: 'code', address }) }] : [];
    const line = stopLine(row);
    if (line === undefined || state.ended) return [];
    const on = !state.stops.includes(line);
    return [{ title: on ? 'Stop on This' : 'Stop No More', run: () => post({ kind: 'stopOn', line, on }) }];
  };
  return (
    <DataTable
      label={label}
      unit={['row', 'rows']}
      remark={state.summary}
      columns={exitColumns[kind]}
      rows={rows}
      rowKey={exitKey}
      note={state.note}
      onExport={(format, text) =>
        post({ kind: 'export', name: label.toLowerCase().replaceAll(' ', '-'), format, text })
      }
      onCopy={(text) => post({ kind: 'copy', text })}
      onOpen={(row) => actions(row)[0]?.run()}
      details={(row) => <Facts facts={countFacts(row)} actions={actions(row)} />}
    />
  );
}
