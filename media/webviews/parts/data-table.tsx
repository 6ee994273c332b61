/**
 * A table of any number of rows: search, filters, order by column, keyboard, details of the chosen row, export. Only the
 * rows in sight are in the page. A grid for screen readers: one tab stop, arrows move the chosen row.
 */
import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import {
  type Column,
  type ExportFormat,
  exportRows,
  nextSort,
  type RowFilter,
  type SortOrder,
  selectRows,
} from '../../../extension/novsc/table.ts';
import { VirtualRows } from './virtual-rows.tsx';

const ROW_HEIGHT = 22;
const PAGE_ROWS = 10;

export interface DataTableProps<Row> {
  /** Names the table for screen readers, and its exports. */
  readonly label: string;
  /** What one row is, for the count: `['range', 'ranges']`. */
  readonly unit: readonly [one: string, many: string];
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** Names a row: the same row has the same name in later lists. */
  readonly rowKey: (row: Row) => string | number;
  readonly filters?: readonly RowFilter<Row>[];
  /** Said where there are no rows. */
  readonly note: string;
  /** More to say beside the count. */
  readonly remark?: string;
  /** Stays at the end while rows are added. */
  readonly follow?: boolean;
  readonly rowClass?: (row: Row) => string;
  /** A double click or Enter. */
  readonly onOpen?: (row: Row) => void;
  readonly onExport: (format: ExportFormat, text: string) => void;
  readonly onCopy: (text: string) => void;
  /** Shown below the table for the chosen row. */
  readonly details?: (row: Row) => ComponentChildren;
}

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rows, rowKey, filters = [], details } = props;
  const [search, setSearch] = useState('');
  const [pressed, setPressed] = useState<ReadonlySet<string>>(new Set());
  const [sort, setSort] = useState<SortOrder>();
  const [chosen, setChosen] = useState<string | number>();
  const shown = useMemo(() => {
    const on = filters.filter(({ key }) => pressed.has(key));
    return selectRows(rows, columns, { search, filters: on, sort });
  }, [rows, columns, filters, search, pressed, sort]);
  const cursor = chosen === undefined ? -1 : shown.findIndex((row) => rowKey(row) === chosen);
  const row = shown[cursor];
  const toggle = (key: string) =>
    setPressed(new Set([...pressed].filter((one) => one !== key).concat(pressed.has(key) ? [] : key)));
  const moveTo = (index: number) => {
    const to = shown[Math.min(shown.length - 1, Math.max(0, index))];
    if (to) setChosen(rowKey(to));
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: cursor + 1,
      ArrowUp: cursor - 1,
      PageDown: cursor + PAGE_ROWS,
      PageUp: cursor - PAGE_ROWS,
      Home: 0,
      End: shown.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) moveTo(to);
    else if (event.key === 'Enter' && row) props.onOpen?.(row);
    else if (event.key === 'Escape') setChosen(undefined);
    else if (event.key === 'c' && (event.ctrlKey || event.metaKey) && row) {
      props.onCopy(columns.map(({ text }) => text(row)).join('\t'));
    } else return;
    event.preventDefault();
  };

  return (
    <section class="data-table">
      <Toolbar
        {...props}
        filters={filters}
        search={search}
        pressed={pressed}
        shown={shown}
        onSearch={setSearch}
        onToggle={toggle}
      />
      {rows.length === 0 ? (
        <p class="note">{props.note}</p>
      ) : (
        <div
          class="table"
          role="grid"
          aria-label={label}
          aria-rowcount={shown.length + 1}
          aria-colcount={columns.length}
          aria-activedescendant={row ? rowId(label, cursor) : undefined}
          tabIndex={0}
          onKeyDown={onKeyDown}
          style={{ '--columns': columns.map(({ width }) => width).join(' ') }}
        >
          <Head columns={columns} sort={sort} onSort={(key) => setSort(nextSort(sort, key))} />
          <VirtualRows
            count={shown.length}
            rowHeight={ROW_HEIGHT}
            cursor={cursor < 0 ? undefined : cursor}
            follow={props.follow === true && sort === undefined}
            row={(index) => {
              const one = shown[index];
              if (one === undefined) return undefined;
              const style = [index === cursor ? 'row chosen' : 'row', props.rowClass?.(one)].filter(Boolean).join(' ');
              return (
                <div
                  class={style}
                  role="row"
                  id={rowId(label, index)}
                  key={rowKey(one)}
                  aria-rowindex={index + 2}
                  aria-selected={index === cursor}
                  onClick={() => setChosen(rowKey(one))}
                  onDblClick={() => props.onOpen?.(one)}
                >
                  {columns.map((column) => (
                    <Cell column={column} row={one} key={column.key} />
                  ))}
                </div>
              );
            }}
          />
        </div>
      )}
      {row && details && (
        <section class="details" aria-label={`Details of the chosen row of ${label}`}>
          {details(row)}
        </section>
      )}
    </section>
  );
}

const rowId = (label: string, index: number) => `${label.replaceAll(' ', '-')}-${index}`;

function Cell<Row>({ column, row }: { readonly column: Column<Row>; readonly row: Row }) {
  const text = column.text(row);
  return (
    <span class={column.numeric ? `${column.key} numeric` : column.key} role="gridcell" title={text}>
      {text}
    </span>
  );
}

interface ToolbarProps<Row> extends DataTableProps<Row> {
  readonly filters: readonly RowFilter<Row>[];
  readonly search: string;
  readonly pressed: ReadonlySet<string>;
  readonly shown: readonly Row[];
  readonly onSearch: (text: string) => void;
  readonly onToggle: (key: string) => void;
}

function Toolbar<Row>(props: ToolbarProps<Row>) {
  const { label, unit, rows, shown, columns, remark } = props;
  const counted = `${rows.length} ${rows.length === 1 ? unit[0] : unit[1]}`;
  const save = (format: ExportFormat) => props.onExport(format, exportRows(shown, columns, format));
  return (
    <header>
      <input
        type="search"
        placeholder="Search"
        aria-label={`Search ${label}`}
        value={props.search}
        onInput={(event) => props.onSearch(event.currentTarget.value)}
      />
      {props.filters.map(({ key, title, hint }) => (
        <button
          type="button"
          class="toggle"
          key={key}
          title={hint}
          aria-pressed={props.pressed.has(key)}
          onClick={() => props.onToggle(key)}
        >
          {title}
        </button>
      ))}
      <span class="count" role="status">
        {shown.length === rows.length ? counted : `${shown.length} of ${counted}`}
        {remark ? `, ${remark}` : ''}
      </span>
      {(['csv', 'json'] as const).map((format) => (
        <button
          type="button"
          key={format}
          title={`Save the rows shown as ${format.toUpperCase()}`}
          disabled={shown.length === 0}
          onClick={() => save(format)}
        >
          {format.toUpperCase()}
        </button>
      ))}
    </header>
  );
}

interface HeadProps<Row> {
  readonly columns: readonly Column<Row>[];
  readonly sort: SortOrder | undefined;
  readonly onSort: (key: string) => void;
}

function Head<Row>({ columns, sort, onSort }: HeadProps<Row>) {
  return (
    <div role="rowgroup">
      <div class="row head" role="row" aria-rowindex={1}>
        {columns.map(({ key, title, numeric }) => {
          const order = sort?.key !== key ? 'none' : sort.descending ? 'descending' : 'ascending';
          const arrow = { none: '', ascending: ' ▴', descending: ' ▾' }[order];
          return (
            <span class={numeric ? 'numeric' : ''} role="columnheader" aria-sort={order} key={key}>
              <button type="button" class="sort" tabIndex={-1} onClick={() => onSort(key)}>
                {title}
                {arrow}
              </button>
            </span>
          );
        })}
      </div>
    </div>
  );
}
