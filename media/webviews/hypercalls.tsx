/** The Hypercalls page: the calls as they are made, and how often each is. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { CallCount } from '../../extension/novsc/hypercall-log.ts';
import type { FromHypercallsPage, ToHypercallsPage } from '../../extension/novsc/hypercall-messages.ts';
import { callColumns, countColumns } from '../../extension/novsc/hypercall-rows.ts';
import type { LogMessage } from '../../extension/novsc/log-messages.ts';
import type { FromAnyPage } from '../../extension/novsc/page-messages.ts';
import { DataTable } from './parts/data-table.tsx';
import { LogTable } from './parts/log-table.tsx';
import { Tabs } from './parts/tabs.tsx';
import { connect } from './parts/vscode-api.ts';

let receive: (message: ToHypercallsPage) => void = () => {};
const post = connect<FromHypercallsPage | FromAnyPage, ToHypercallsPage>((message) => receive(message));

function Hypercalls() {
  const [calls, setCalls] = useState<LogMessage>();
  const [counts, setCounts] = useState<readonly CallCount[]>([]);
  const [ended, setEnded] = useState(false);
  useEffect(() => {
    receive = (message) => {
      if (message.kind === 'log') setCalls(message);
      else if (message.kind === 'counts') setCounts(message.counts);
      else setEnded(message.ended);
    };
    post({ kind: 'ready' });
  }, []);
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
                rowKey={({ abi, number }) => `${abi} ${number}`}
                note={calls?.note ?? ''}
                onExport={(format, text) => post({ kind: 'export', name: 'hypercalls-by-call', format, text })}
                onCopy={(text) => post({ kind: 'copy', text })}
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
