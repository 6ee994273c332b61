/** The Exits and I/O page: what makes vCPUs leave the guest, by reason, place and code; the trace; what to stop on. */
import { render } from 'preact';
import type { ExitsState, FromExitsPage, ToExitsPage } from '../../extension/novsc/exit-messages.ts';
import { traceColumns } from '../../extension/novsc/exit-rows.ts';
import type { LogMessage } from '../../extension/novsc/log-messages.ts';
import type { FromAnyPage } from '../../extension/novsc/page-messages.ts';
import { Counts } from './exits/counts.tsx';
import { Stops } from './exits/stops.tsx';
import { Timeline } from './exits/timeline.tsx';
import { LogTable } from './parts/log-table.tsx';
import { Tabs } from './parts/tabs.tsx';
import { pageOf } from './parts/use-page.ts';

export type Post = (message: FromExitsPage | FromAnyPage) => void;

interface Page {
  readonly state: ExitsState;
  readonly trace: LogMessage | undefined;
}

const empty: Page = {
  state: {
    kind: 'state',
    ...{ reasons: [], places: [], code: [], timeline: [], stops: [] },
    ...{ summary: '', note: '', tracing: false, ended: false },
  },
  trace: undefined,
};

const { post, usePage } = pageOf<Page, ToExitsPage, FromExitsPage>(empty, (page, message) =>
  message.kind === 'log' ? { ...page, trace: message } : { ...page, state: message },
);

function Exits() {
  const { state, trace } = usePage();
  const counts = { state, post };
  return (
    <main class={state.ended ? 'ended' : ''}>
      <Timeline samples={state.timeline} />
      <Tabs
        label="What to show of the exits"
        tabs={[
          {
            key: 'reasons',
            title: 'Reasons',
            page: () => <Counts label="Exits by reason" kind="reason" rows={state.reasons} {...counts} key="reasons" />,
          },
          {
            key: 'places',
            title: 'Ports and Memory',
            page: () => <Counts label="Exits by place" kind="place" rows={state.places} {...counts} key="places" />,
          },
          {
            key: 'code',
            title: 'Code',
            page: () => <Counts label="Exits by code" kind="rip" rows={state.code} {...counts} key="code" />,
          },
          {
            key: 'trace',
            title: 'Trace',
            page: () => (
              <LogTable label="Trace of exits" columns={traceColumns} shown={trace} post={post}>
                <button
                  type="button"
                  class="toggle"
                  title="Write down every exit, which makes each a little slower"
                  aria-pressed={state.tracing}
                  disabled={state.ended}
                  onClick={() => post({ kind: 'trace', on: !state.tracing })}
                >
                  Trace
                </button>
              </LogTable>
            ),
          },
          { key: 'stops', title: 'Stops', page: () => <Stops stops={state.stops} post={post} /> },
        ]}
      />
    </main>
  );
}

const root = document.getElementById('root');
if (root) render(<Exits />, root);
