/** The vCPUs page: a row for each, and what can be done with one. */
import { render } from 'preact';
import type { FromVcpusPage, ToVcpusPage } from '../../extension/novsc/vcpu-messages.ts';
import { vcpuColumnsFor, vcpuFacts } from '../../extension/novsc/vcpu-rows.ts';
import { DataTable } from './parts/data-table.tsx';
import { type Action, Facts } from './parts/facts.tsx';
import { pageOf } from './parts/use-page.ts';

const empty: ToVcpusPage = { kind: 'state', rows: [], phase: 'stopped', note: '' };
const { post, usePage } = pageOf<ToVcpusPage, ToVcpusPage, FromVcpusPage>(empty, (_, message) => message);

function Vcpus() {
  const { rows, phase, note } = usePage();
  return (
    <main class={phase === 'ended' ? 'ended' : ''}>
      <DataTable
        label="vCPUs"
        unit={['vCPU', 'vCPUs']}
        columns={vcpuColumnsFor(rows)}
        rows={rows}
        rowKey={({ thread }) => thread}
        note={note}
        onExport={(format, text) => post({ kind: 'export', name: 'vcpus', format, text })}
        onCopy={(text) => post({ kind: 'copy', text })}
        onOpen={({ rip }) => rip && post({ kind: 'go', to: 'code', address: rip })}
        details={(row) => <Facts facts={vcpuFacts(row)} actions={actionsOf(row.thread, row.rip)} />}
      />
    </main>
  );

  function actionsOf(thread: number, rip: `0x${string}` | undefined): Action[] {
    if (phase === 'running') return [{ title: 'Pause', run: () => post({ kind: 'pause', thread }) }];
    if (phase === 'ended') return [];
    const alone = (how: 'continue' | 'step') => () => post({ kind: 'alone', thread, how });
    return [
      ...(rip ? [{ title: 'Go to Code', run: () => post({ kind: 'go', to: 'code', address: rip }) }] : []),
      { title: 'Step Alone', run: alone('step') },
      { title: 'Continue Alone', run: alone('continue') },
    ];
  }
}

const root = document.getElementById('root');
if (root) render(<Vcpus />, root);
