/** The Hypercalls page: the calls as they are made, and how often each is. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { CallCount } from '../../extension/novsc/hypercall-log.ts';
import type { FromHypercallsPage, ToHypercallsPage } from '../../extension/novsc/hypercall-messages.ts';
import { callColumns, callStopLine, countColumns } from '../../extension/novsc/hypercall-rows.ts';
import type { LogMessage } from '../../extension/novsc/log-messages.ts';
import type { FromAnyPage } from '../../extension/novsc/page-messages.ts';
import { DataTable } from './parts/data-table.tsx';
import { Facts } from './parts/facts.tsx';
import { LogTable } from './parts/log-table.tsx';
import { Tabs } from './parts/tabs.tsx';
import { connect } from './parts/vscode-api.ts';

let receive: (message: ToHypercallsPage) => void = () => {};
const post = connect<FromHypercallsPage | FromAnyPage, ToHypercallsPage>((message) => receive(message));

type StateMessage = Extract<ToHypercallsPage, { readonly kind: 'state' }>;

function Hypercalls() {
  const [calls, setCalls] = useState<LogMessage>();
  const [counts, setCounts] = useState<readonly CallCount[]>([]);
  const [{ ended, stops }, setState] = useState<StateMessage>({ kind: 'state', ended: false, stops: [] });
  useEffect(() => {
    receive = (message) => {
      if (message.kind === 'log') setCalls(message);
      else if (message.kind === 'counts') setCounts(message.counts);
      else setState(message);
    };
    post({ kind: 'ready' });
  }, []);
  const stopAction = (row: CallCount) => {
    const line = callStopLine(row);
    const on = !stops.includes(line);
    return { title: on ? 'Stop on This' : 'Stop No More', run: () => post({ kind: 'stopOn', line, on }) };
  };
  return (
    <main class={ended ? 'ended' : ''}>
      <Tabs
        label="What to show of the hypercalls"
        tabs={[
          {
            key: 'calls',
            title: 'Calls',
            page: () => <LogTable label="Hypercalls" columns={callColumns} shown={calls} post={post} />,
          },
          {
            key: 'counts',
            title: 'By Call',
            page: () => (
              <DataTable
                label="Hypercalls by call"
                unit={['call', 'calls']}
                columns={countColumns}
                rows={counts}
                rowKey={({ abi, code }) => `${abi} ${code}`}
                note={calls?.note ?? ''}
                onExport={(format, text) => post({ kind: 'export', name: 'hypercalls-by-call', format, text })}
                onCopy={(text) => post({ kind: 'copy', text })}
                details={(row) => (
                  <Facts
                    facts={countColumns.map(({ title, text }) => [title, text(row)])}
                    actions={ended ? [] : [stopAction(row)]}
                  />
                )}
              />
            ),
          },
        ]}
      />
    </main>
  );
}

const root = document.getElementById('root');
if (root) render(<Hypercalls />, root);
