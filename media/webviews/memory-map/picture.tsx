/** Guest-physical memory to scale: a strip for the whole, and one for what lies inside each region on the way to the chosen one. */

import { useState } from 'preact/hooks';
import type { MemoryMapPart } from '../../../debug-adapter/protocol/custom.ts';
import {
  extentOf,
  kindNames,
  type Placed,
  pathTo,
  placeRegions,
  rangeText,
  sizeText,
} from '../../../extension/novsc/memory-regions.ts';
import type { Destination } from '../../../extension/novsc/page-messages.ts';
import type { Post } from '../memory-map.tsx';
import { Facts } from '../parts/facts.tsx';
import { Legend } from '../parts/legend.tsx';

export function Picture({ map, post }: { readonly map: MemoryMapPart; readonly post: Post }) {
  const [chosen, setChosen] = useState<string>();
  const top = placeRegions([...map.regions, ...map.pageTables]);
  const path = pathTo(top, chosen);
  const end = top.reduce((most, placed) => (placed.end > most ? placed.end : most), 0n);
  const strips = [
    { key: 'all', title: 'All guest-physical memory', from: 0n, to: end, level: top },
    ...path.filter(({ inside }) => inside.length > 0).map(stripOf),
  ];
  const last = path.at(-1);
  return (
    <>
      <Legend
        keys={(['ram', 'told', 'image', 'tables', 'framebuffer', 'mmio', 'reserved'] as const).map((kind) => [
          kind,
          kindNames[kind],
        ])}
      />
      <div class="strips">
        {strips.map(({ key, ...strip }, depth) => (
          <Strip {...strip} chosen={path[depth]} target={last} onChoose={setChosen} key={key} />
        ))}
      </div>
      {last && (
        <section class="details" aria-label="Details of the chosen region">
          <RegionFacts placed={last} post={post} />
        </section>
      )}
    </>
  );
}

const stripOf = ({ id, region, start, end, inside }: Placed) => ({
  ...{ key: id, title: `Inside ${region.name}`, from: start, to: end, level: inside },
});

interface StripProps {
  readonly title: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly level: readonly Placed[];
  /** The region of this strip on the way to `target`. */
  readonly chosen: Placed | undefined;
  readonly target: Placed | undefined;
  readonly onChoose: (id: string) => void;
}

function Strip({ title, from, to, level, chosen, target, onChoose }: StripProps) {
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const at = chosen ? level.indexOf(chosen) + step : 0;
    const next = level[Math.min(level.length - 1, Math.max(0, at))];
    if (next) onChoose(next.id);
    event.preventDefault();
  };
  return (
    <section class="strip">
      <h2>
        {title}, {sizeText({ start: from, end: to })}
      </h2>
      <div
        class="bar"
        role="listbox"
        aria-label={title}
        aria-activedescendant={chosen && `region-${chosen.id}`}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        {level.map((placed) => {
          const { left, width } = extentOf(placed, from, to);
          return (
            <div
              class={`region ${placed.region.kind}${placed === chosen ? ' chosen' : ''}`}
              role="option"
              id={`region-${placed.id}`}
              key={placed.id}
              aria-selected={placed === target}
              aria-label={describe(placed)}
              title={describe(placed)}
              style={{ left: `min(${left}%, 100% - 3px)`, width: `max(3px, ${width}%)` }}
              onClick={() => onChoose(placed.id)}
            >
              {placed.region.name}
            </div>
          );
        })}
      </div>
    </section>
  );
}

const describe = (placed: Placed) =>
  `${placed.region.name} (${kindNames[placed.region.kind]}): ${rangeText(placed)}, ${sizeText(placed)}`;

export function RegionFacts({ placed, post }: { readonly placed: Placed; readonly post: Post }) {
  const { start, virtual, kind, detail, screen } = placed.region;
  const go = (to: Destination, title: string, address = start) => ({
    title,
    run: () => post({ kind: 'go', to, address }),
  });
  return (
    <Facts
      facts={[
        ['region', `${placed.region.name}, ${kindNames[kind]}`],
        ['addresses', `${rangeText(placed)}, ${sizeText(placed)}`],
        ...(detail === undefined ? [] : [['detail', detail] as const]),
        ...(virtual === undefined ? [] : [['virtual', virtual] as const]),
      ]}
      actions={[
        // Reading a device's registers can change them.
        ...(kind === 'hole' || kind === 'mmio' ? [] : [go('physical', 'Physical memory')]),
        ...(screen ? [go('screen', 'Screen')] : []),
        ...(virtual === undefined
          ? []
          : [
              go('memory', 'Memory', virtual),
              go('disassembly', 'Disassembly', virtual),
              go('walk', 'Page walk', virtual),
            ]),
      ]}
    />
  );
}
