/** Several pages of which one is seen; arrows go from tab to tab. */
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';

export interface Tab {
  readonly key: string;
  readonly title: string;
  readonly page: () => ComponentChildren;
}

interface Props {
  /** Names the choice for screen readers. */
  readonly label: string;
  readonly tabs: readonly Tab[];
  readonly onChange?: (key: string) => void;
}

export function Tabs({ label, tabs, onChange }: Props) {
  const [chosen, setChosen] = useState(tabs[0]?.key);
  const list = useRef<HTMLDivElement>(null);
  const choose = (key: string) => {
    setChosen(key);
    onChange?.(key);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const at = tabs.findIndex(({ key }) => key === chosen);
    const to = (at + step + tabs.length) % tabs.length;
    choose(tabs[to]?.key ?? '');
    list.current?.querySelectorAll('button')[to]?.focus();
    event.preventDefault();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {tabs.map(({ key, title }) => (
          <button
            type="button"
            role="tab"
            key={key}
            id={`tab-${key}`}
            aria-selected={key === chosen}
            aria-controls="tab-page"
            tabIndex={key === chosen ? 0 : -1}
            onClick={() => choose(key)}
          >
            {title}
          </button>
        ))}
      </div>
      <div class="tab-page" role="tabpanel" id="tab-page" aria-labelledby={`tab-${chosen}`}>
        {tabs.find(({ key }) => key === chosen)?.page()}
      </div>
    </>
  );
}
