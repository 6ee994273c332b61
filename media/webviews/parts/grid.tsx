/**
 * Rows and columns for eyes, keyboard and screen reader, wherever the rows come from. Only those in sight are in the
 * page. One tab stop; arrows, Page Up and Down, Home and End move the chosen row, Enter opens it, Escape lets go of it.
 */
import { useRef } from 'preact/hooks';
import { COLUMN_GAP, fittingColumns, ROW_PADDING } from '../../../extension/novsc/fitting-columns.ts';
import type { Column, SortOrder } from '../../../extension/novsc/table.ts';
import { Head, Row, rowId } from './grid-rows.tsx';
import { useRoom } from './use-room.ts';
import { VirtualRows } from './virtual-rows.tsx';

const ROW_HEIGHT = 22;
const PAGE_ROWS = 10;

export type GridColumn = Pick<Column<never>, 'key' | 'title' | 'width' | 'rank' | 'numeric'>;

export interface GridRow {
  readonly key: string | number;
  /** A text for each column. */
  readonly cells: readonly string[];
  /** More classes of the row. */
  readonly style?: string | undefined;
}

export interface GridProps {
  /** Names the table for screen readers. */
  readonly label: string;
  readonly columns: readonly GridColumn[];
  readonly count: number;
  /** A row in sight; undefined while it is not there yet. */
  readonly row: (index: number) => GridRow | undefined;
  /** The chosen row; -1 when none is. */
  readonly cursor: number;
  readonly onCursor: (index: number) => void;
  readonly sort?: SortOrder | undefined;
  readonly onSort: (key: string) => void;
  /** Stays at the end while rows are added. */
  readonly follow?: boolean;
  /** A double click or Enter on the chosen row. */
  readonly onOpen: () => void;
  readonly onCopy?: () => void;
  /** These rows came into sight; `atEnd` when the last is among them. */
  readonly onWindow?: (first: number, count: number, atEnd: boolean) => void;
}

export function Grid(props: GridProps) {
  const { label, columns, count, cursor, onCursor } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const room = useRoom(scroller);
  const places = fittingColumns(columns, room);

  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: cursor + 1,
      ArrowUp: cursor - 1,
      PageDown: cursor + PAGE_ROWS,
      PageUp: cursor - PAGE_ROWS,
      Home: 0,
      End: count - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) onCursor(Math.min(count - 1, Math.max(0, to)));
    else if (event.key === 'Enter' && cursor >= 0) props.onOpen();
    else if (event.key === 'Escape') onCursor(-1);
    else if (event.key === 'c' && (event.ctrlKey || event.metaKey) && cursor >= 0) props.onCopy?.();
    else return;
    event.preventDefault();
  };

  return (
    <div
      class="table"
      ref={scroller}
      role="grid"
      aria-label={label}
      aria-rowcount={count + 1}
      aria-colcount={columns.length}
      aria-activedescendant={cursor >= 0 ? rowId(label, cursor) : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      style={{
        '--columns': places.map((place) => columns[place]?.width).join(' '),
        '--column-gap': `${COLUMN_GAP}px`,
        '--row-padding': `${ROW_PADDING}px`,
      }}
    >
      <Head {...props} places={places} />
      <VirtualRows
        scroller={scroller}
        count={count}
        height={room.height}
        rowHeight={ROW_HEIGHT}
        cursor={cursor < 0 ? undefined : cursor}
        follow={props.follow === true && props.sort === undefined}
        {...(props.onWindow && { onWindow: props.onWindow })}
        row={(index) => {
          const shown = props.row(index);
          return <Row {...props} places={places} index={index} shown={shown} key={shown?.key ?? `row ${index}`} />;
        }}
      />
    </div>
  );
}
