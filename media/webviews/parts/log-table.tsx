/** A log of any length, whose rows are in the extension host: search, order, merged repeats, details, export. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { FromLog, LogMessage } from '../../../extension/novsc/log-messages.ts';
import { Facts } from './facts.tsx';
import { Grid, type GridColumn } from './grid.tsx';
import { SaveButtons } from './save-buttons.tsx';

type Said = FromLog extends infer One ? (One extends { readonly log: string } ? Omit<One, 'log'> : never) : never;

interface Props {
  /** Names the log for screen readers, and says what its rows are. */
  readonly label: string;
  readonly columns: readonly GridColumn[];
  /** The newest message; undefined before the first. */
  readonly shown: LogMessage | undefined;
  readonly post: (message: FromLog) => void;
  /** More controls of this page's own. */
  readonly children?: ComponentChildren;
}

export function LogTable({ label, columns, shown, post, children }: Props) {
  const [search, setSearch] = useState('');
  if (!shown) return null;
  const { count, first, rows, sort, merging, details } = shown;
  const say = (message: Said) => post({ ...message, log: shown.log } as FromLog);
  const open = () => {
    const [action] = details?.actions ?? [];
    if (action) say({ kind: 'act', action: action.name });
  };
  return (
    <section class="data-table">
      <header>
        <input
          type="search"
          placeholder="Search"
          title="Rows that have all these words; -word leaves out rows that have it"
          aria-label={`Search ${label}`}
          value={search}
          onInput={(event) => {
            setSearch(event.currentTarget.value);
            say({ kind: 'search', text: event.currentTarget.value });
          }}
        />
        {merging !== undefined && (
          <button
            type="button"
            class="toggle"
            title="One row for repeats that follow each other"
            aria-pressed={merging}
            onClick={() => say({ kind: 'merge', on: !merging })}
          >
            Merge repeats
          </button>
        )}
        {children}
        <span class="count" role="status">
          {shown.summary}
        </span>
        <SaveButtons disabled={count === 0} onSave={(format) => say({ kind: 'save', format })} />
      </header>
      {count === 0 ? (
        <p class="note">{shown.note}</p>
      ) : (
        <Grid
          label={label}
          columns={columns}
          count={count}
          row={(index) => {
            const row = rows[index - first];
            return row && { key: row.id, cells: row.cells };
          }}
          cursor={details?.row ?? -1}
          onCursor={(row) => say({ kind: 'choose', row })}
          sort={sort}
          onSort={(key) => say({ kind: 'sort', key })}
          follow
          onOpen={open}
          onWindow={(from, most, follow) => say({ kind: 'window', first: from, count: most, follow })}
        />
      )}
      {details && (
        <section class="details" aria-label={`Details of the chosen row of ${label}`}>
          <Facts
            facts={details.facts}
            actions={details.actions.map(({ name, title }) => ({
              title,
              run: () => say({ kind: 'act', action: name }),
            }))}
          />
        </section>
      )}
    </section>
  );
}
