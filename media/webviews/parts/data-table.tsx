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
import { Grid } from './grid.tsx';
import { SaveButtons } from './save-buttons.tsx';

export interface DataTableProps<Row extends object> {
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

export function DataTable<Row extends object>(props: DataTableProps<Row>) {
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
  const choose = (index: number) => {
    const to = shown[index];
    setChosen(to && rowKey(to));
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
      {shown.length === 0 ? (
        <p class="note">
          {rows.length === 0 ? props.note : 'No row matches. Search for less, or press fewer filters.'}
        </p>
      ) : (
        <Grid
          label={label}
          columns={columns}
          count={shown.length}
          row={(index) => {
            const one = shown[index];
            if (one === undefined) return undefined;
            const cells = columns.map((column) => column.text(one));
            return { key: rowKey(one), cells, style: props.rowClass?.(one) };
          }}
          cursor={cursor}
          onCursor={choose}
          sort={sort}
          onSort={(key) => setSort(nextSort(sort, key))}
          follow={props.follow === true}
          onOpen={() => row && props.onOpen?.(row)}
          onCopy={() => row && props.onCopy(columns.map(({ text }) => text(row)).join('\t'))}
        />
      )}
      {row && details && (
        <section class="details" aria-label={`Details of the chosen row of ${label}`}>
          {details(row)}
        </section>
      )}
    </section>
  );
}

interface ToolbarProps<Row extends object> extends DataTableProps<Row> {
  readonly filters: readonly RowFilter<Row>[];
  readonly search: string;
  readonly pressed: ReadonlySet<string>;
  readonly shown: readonly Row[];
  readonly onSearch: (text: string) => void;
  readonly onToggle: (key: string) => void;
}

function Toolbar<Row extends object>(props: ToolbarProps<Row>) {
  const { label, unit, rows, shown, columns, remark } = props;
  const counted = `${rows.length} ${rows.length === 1 ? unit[0] : unit[1]}`;
  const save = (format: ExportFormat) => props.onExport(format, exportRows(shown, columns, format));
  return (
    <header>
      <input
        type="search"
        placeholder="Search"
        title="Rows that have all these words; -word leaves out rows that have it"
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
      <SaveButtons disabled={shown.length === 0} onSave={save} />
    </header>
  );
}
