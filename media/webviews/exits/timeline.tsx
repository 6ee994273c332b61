/** Exits a second over the last minutes of the guest's time: a bar for each look, stacked by what the exits were for. */

import { EXIT_GROUPS, type ExitSample } from '../../../extension/novsc/exit-counts.ts';
import { rate } from '../../../extension/novsc/format.ts';
import { Legend } from '../parts/legend.tsx';

/** Units of the picture; bars come in from the right. */
const BARS = 120;
const HEIGHT = 100;

const total = ({ rates }: ExitSample) => EXIT_GROUPS.reduce((sum, group) => sum + rates[group], 0);

export function Timeline({ samples }: { readonly samples: readonly ExitSample[] }) {
  const last = samples.at(-1);
  if (!last) return null;
  const most = Math.max(1, ...samples.map(total));
  const shown = EXIT_GROUPS.filter((group) => samples.some(({ rates }) => rates[group] > 0));
  const span = last.at - (samples[0]?.at ?? 0);
  return (
    <>
      <div
        class="timeline"
        role="img"
        aria-label={`Exits a second over ${span.toFixed(0)} seconds, at most ${rate(most)}, last ${rate(total(last))}`}
      >
        <svg viewBox={`0 0 ${BARS} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {samples.map((sample, index) => {
            let top = HEIGHT;
            return shown.map((group) => {
              const height = (sample.rates[group] / most) * HEIGHT;
              top -= height;
              const x = BARS - samples.length + index;
              return <rect class={group} key={`${sample.at} ${group}`} x={x} y={top} width={0.85} height={height} />;
            });
          })}
        </svg>
      </div>
      <Legend
        keys={shown.map((group) => [group, `${group} ${rate(last.rates[group])}`])}
        note={`highest ${rate(most)} a second`}
      />
    </>
  );
}
