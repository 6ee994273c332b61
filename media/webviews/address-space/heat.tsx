/** Which parts of the address space were accessed and written: a cell for each part, filled from below. */

import { useState } from 'preact/hooks';
import type { AddressHeat } from '../../../debug-adapter/protocol/custom.ts';
import { share } from '../../../extension/novsc/address-space-rows.ts';
import { address, size } from '../../../extension/novsc/format.ts';
import type { Post } from '../address-space.tsx';
import { Facts } from '../parts/facts.tsx';
import { Legend } from '../parts/legend.tsx';

type Cell = AddressHeat['cells'][number];

/** Cells that follow one another, with the index of the first. */
interface Segment {
  readonly first: number;
  readonly cells: readonly Cell[];
}

export function Heat({ heat, post }: { readonly heat: AddressHeat; readonly post: Post }) {
  const [chosen, setChosen] = useState<string>();
  const { cells } = heat;
  const cursor = cells.findIndex(({ start }) => start === chosen);
  const cell = cells[cursor];
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    setChosen(cells[Math.min(cells.length - 1, Math.max(0, cursor + step))]?.start);
    event.preventDefault();
  };
  if (cells.length === 0) return <p class="note">Nothing is mapped.</p>;
  return (
    <>
      <Legend
        keys={[
          ['dirty', 'written'],
          ['accessed', 'accessed'],
          ['mapped', 'mapped'],
        ]}
        note={`A cell is ${size(BigInt(heat.cellSize))}.`}
      />
      <div
        class="heat"
        role="listbox"
        aria-label="Parts of the address space"
        aria-activedescendant={cell ? cellId(cell) : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        {segments(heat).map((segment) => (
          <div class="segment" role="group" aria-label={`From ${segment.cells[0]?.start}`} key={segment.first}>
            <span class="address" role="presentation">
              {address(segment.cells[0]?.start ?? '0x0', 16)}
            </span>
            <div class="cells" role="presentation">
              {segment.cells.map((one) => (
                <div
                  class={one === cell ? 'cell chosen' : 'cell'}
                  id={cellId(one)}
                  key={one.start}
                  role="option"
                  aria-selected={one === cell}
                  aria-label={describe(one)}
                  title={describe(one)}
                  style={{
                    '--dirty': part(one.dirty, heat),
                    '--accessed': part(one.accessed, heat),
                    '--mapped': part(one.mapped, heat),
                  }}
                  onClick={() => setChosen(one.start)}
                />
              ))}
            </div>
          </div>
        ))}
      </div>
      {cell && (
        <section class="details" aria-label="Details of the chosen part">
          <Facts
            facts={[['part', describe(cell)]]}
            actions={[
              { title: 'Memory', run: () => post({ kind: 'go', to: 'memory', address: cell.start }) },
              { title: 'Page walk', run: () => post({ kind: 'go', to: 'walk', address: cell.start }) },
            ]}
          />
        </section>
      )}
    </>
  );
}

const cellId = ({ start }: Cell) => `cell-${start}`;

const part = (bytes: string, { cellSize }: AddressHeat) => `${(100 * Number(bytes)) / Number(cellSize)}%`;

function describe(cell: Cell): string {
  const used = `${share(cell.accessed, cell.mapped) || '0 %'} accessed, ${share(cell.dirty, cell.mapped) || '0 %'} written`;
  return `${cell.start}: ${size(BigInt(cell.mapped))} mapped, ${used}`;
}

function segments({ cells, cellSize }: AddressHeat): Segment[] {
  const found: { first: number; cells: Cell[] }[] = [];
  let next: bigint | undefined;
  for (const [index, cell] of cells.entries()) {
    const start = BigInt(cell.start);
    if (start === next) found.at(-1)?.cells.push(cell);
    else found.push({ first: index, cells: [cell] });
    next = start + BigInt(cellSize);
  }
  return found;
}
