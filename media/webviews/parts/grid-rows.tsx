/** A row of a grid, and the heads of its columns, which sort. */
import type { GridProps, GridRow } from './grid.tsx';

interface PartProps extends GridProps {
  /** Which columns are shown. */
  readonly places: readonly number[];
}

export const rowId = (label: string, index: number) => `${label.replaceAll(' ', '-')}-${index}`;

interface RowProps extends PartProps {
  readonly index: number;
  readonly shown: GridRow | undefined;
}

export function Row({ label, columns, places, shown, cursor, index, onCursor, onOpen }: RowProps) {
  const chosen = index === cursor;
  return (
    <div
      class={['row', chosen ? 'chosen' : '', shown?.style ?? ''].filter(Boolean).join(' ')}
      role="row"
      id={rowId(label, index)}
      aria-rowindex={index + 2}
      aria-selected={chosen}
      onClick={() => onCursor(index)}
      onDblClick={onOpen}
    >
      {places.map((place) => {
        const text = shown?.cells[place] ?? '';
        const style = [columns[place]?.key, columns[place]?.numeric ? 'numeric' : ''].filter(Boolean).join(' ');
        return (
          <span class={style} role="gridcell" aria-colindex={place + 1} title={text} key={place}>
            {text}
          </span>
        );
      })}
    </div>
  );
}

export function Head({ columns, places, sort, onSort }: PartProps) {
  return (
    <div class="heads" role="rowgroup">
      <div class="row head" role="row" aria-rowindex={1}>
        {places.map((place) => {
          const { key = '', title = '', numeric } = columns[place] ?? {};
          const order = sort?.key !== key ? 'none' : sort.descending ? 'descending' : 'ascending';
          const arrow = { none: '', ascending: ' ▴', descending: ' ▾' }[order];
          return (
            <span
              class={numeric ? 'numeric' : ''}
              role="columnheader"
              aria-colindex={place + 1}
              aria-sort={order}
              key={key}
            >
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
