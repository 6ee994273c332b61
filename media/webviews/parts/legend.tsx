/** What the colours of a picture stand for. */

interface LegendProps {
  /** Class that sets `--colour`, and what it stands for. */
  readonly keys: readonly (readonly [style: string, text: string])[];
  /** What is said besides. */
  readonly note?: string;
}

export function Legend({ keys, note }: LegendProps) {
  return (
    <p class="legend">
      {keys.map(([style, text]) => (
        <span key={style}>
          <span class={`key ${style}`} /> {text}
        </span>
      ))}
      {note && <span>{note}</span>}
    </p>
  );
}
