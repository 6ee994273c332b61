/** The Hypercalls view: a filter, a table that follows the flow, and the details of the chosen call. */
import { render } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { LOG_CAPACITY } from '../../extension/novsc/hypercall-log.ts';
import type { FromHypercallsView, HypercallRow, ToHypercallsView } from '../../extension/novsc/hypercall-messages.ts';
import { VirtualRows } from './parts/virtual-rows.tsx';
import { connect } from './parts/vscode-api.ts';

const ROW_HEIGHT = 22;

const columns = [
  ['time', 'Time'],
  ['vcpu', 'CPU'],
  ['call', 'Call'],
  ['args', 'Arguments'],
  ['result', 'Result'],
  ['where', 'From'],
] as const;

interface State {
  readonly rows: readonly HypercallRow[];
  readonly total: number;
  readonly dropped: number;
  readonly note: string;
  readonly ended: boolean;
}

const empty: State = { rows: [], total: 0, dropped: 0, note: '', ended: false };

function next(state: State, message: ToHypercallsView): State {
  if (message.kind === 'reset') return { ...empty, note: state.note, ended: state.ended };
  if (message.kind === 'state') return { ...state, note: message.note, ended: message.ended };
  const rows = message.rows.length === 0 ? state.rows : [...state.rows, ...message.rows].slice(-LOG_CAPACITY);
  return { ...state, rows, total: message.total, dropped: message.dropped };
}

let receive: (message: ToHypercallsView) => void = () => {};
const post = connect<FromHypercallsView, ToHypercallsView>((message) => receive(message));

function matches(row: HypercallRow, words: readonly string[]): boolean {
  const text = `${row.call} ${row.args} ${row.result} ${row.where}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function Hypercalls() {
  const [state, setState] = useState(empty);
  const [filter, setFilter] = useState('');
  const [chosen, setChosen] = useState<number>();
  useEffect(() => {
    receive = (message) => setState((before) => next(before, message));
    post({ kind: 'ready' });
  }, []);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = useMemo(() => state.rows.filter((row) => matches(row, words)), [state.rows, filter]);
  const cursor = rows.findIndex((row) => row.sequence === chosen);
  const row = rows[cursor];

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step !== undefined && rows.length > 0) {
      const to = Math.min(rows.length - 1, Math.max(0, cursor + step));
      setChosen(rows[to]?.sequence);
      event.preventDefault();
    } else if (event.key === 'Enter' && row) post({ kind: 'open', address: row.address });
    else if (event.key === 'Escape') setChosen(undefined);
  };

  return (
    <main class={state.ended ? 'ended' : ''}>
      <header>
        <input
          type="search"
          placeholder="Filter"
          aria-label="Filter hypercalls"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="count" role="status">
          {rows.length === state.total ? `${state.total} calls` : `${rows.length} of ${state.total} calls`}
          {state.dropped > 0 ? `, ${state.dropped} lost` : ''}
        </span>
      </header>
      {state.rows.length === 0 ? (
        <p class="note">{state.note}</p>
      ) : (
        <div
          class="table"
          role="table"
          aria-label="Hypercalls"
          aria-rowcount={rows.length}
          tabIndex={0}
          onKeyDown={onKeyDown}
        >
          <div class="row head" role="row">
            {columns.map(([key, title]) => (
              <span class={key} role="columnheader" key={key}>
                {title}
              </span>
            ))}
          </div>
          <VirtualRows
            count={rows.length}
            rowHeight={ROW_HEIGHT}
            cursor={cursor < 0 ? undefined : cursor}
            follow
            row={(index) => {
              const shown = rows[index];
              return shown && <Row row={shown} chosen={index === cursor} index={index} choose={setChosen} />;
            }}
          />
        </div>
      )}
      {row && <Details row={row} />}
    </main>
  );
}

interface RowProps {
  readonly row: HypercallRow;
  readonly chosen: boolean;
  readonly index: number;
  readonly choose: (sequence: number) => void;
}

function Row({ row, chosen, index, choose }: RowProps) {
  return (
    <div
      class={chosen ? 'row chosen' : 'row'}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={chosen}
      key={row.sequence}
      onClick={() => choose(row.sequence)}
      onDblClick={() => post({ kind: 'open', address: row.address })}
    >
      {columns.map(([key]) => (
        <span class={key} role="cell" key={key} title={row[key]}>
          {row[key]}
        </span>
      ))}
    </div>
  );
}

function Details({ row }: { readonly row: HypercallRow }) {
  return (
    <section class="details" aria-label="Details of the hypercall">
      <dl>
        {row.details.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p>
        <button type="button" onClick={() => post({ kind: 'open', address: row.address })}>
          Go to code
        </button>
        <button
          type="button"
          onClick={() => post({ kind: 'copy', text: row.details.map((pair) => pair.join(': ')).join('\n') })}
        >
          Copy
        </button>
      </p>
    </section>
  );
}

const root = document.getElementById('root');
if (root) render(<Hypercalls />, root);
