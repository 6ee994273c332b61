/** Names and values below a table, and buttons for what can be done with the chosen row. */
export interface Action {
  readonly title: string;
  readonly run: () => void;
}

interface Props {
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly actions: readonly Action[];
}

export function Facts({ facts, actions }: Props) {
  return (
    <>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p>
        {actions.map(({ title, run }) => (
          <button type="button" key={title} onClick={run}>
            {title}
          </button>
        ))}
      </p>
    </>
  );
}
