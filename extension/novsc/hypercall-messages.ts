/** What the extension and the Hypercalls webview say to each other, and the rows that it shows. */
import type { Hex, HypercallRecord } from '../../debug-adapter/protocol/custom.ts';
import { time } from './format.ts';

export interface HypercallRow {
  readonly sequence: number;
  readonly time: string;
  readonly vcpu: string;
  readonly where: string;
  readonly address: Hex;
  readonly call: string;
  readonly args: string;
  readonly result: string;
  /** Name and value of everything that is known, for the row's details. */
  readonly details: readonly (readonly [name: string, value: string])[];
}

export type ToHypercallsView =
  | { readonly kind: 'reset' }
  | { readonly kind: 'add'; readonly rows: readonly HypercallRow[]; readonly total: number; readonly dropped: number }
  /** `note` is shown where there are no rows, `ended` greys the table. */
  | { readonly kind: 'state'; readonly note: string; readonly ended: boolean };

export type FromHypercallsView =
  | { readonly kind: 'ready' }
  | { readonly kind: 'open'; readonly address: Hex }
  | { readonly kind: 'copy'; readonly text: string };

export function hypercallRow(record: HypercallRecord, symbol: string | undefined): HypercallRow {
  const address = record.caller ?? record.rip;
  const args = record.arguments.map(({ name, value, text }) => `${name}=${text ?? value}`).join(', ');
  const result = record.resultText ? `${record.result} ${record.resultText}` : record.result;
  const numbered = `${record.name} (${record.number})`;
  return {
    sequence: record.sequence,
    time: time(record.time),
    vcpu: `${record.vcpu}`,
    where: symbol ?? address,
    address,
    call: record.name || record.number,
    args,
    result,
    details: [
      ['call', record.name ? numbered : record.number],
      ['interface', `${record.abi}, CPL ${record.cpl}`],
      ['from', symbol ? `${symbol} (${address})` : address],
      ...record.arguments.map(({ name, value, text }) => [name, text ? `${value} ${text}` : value] as const),
      ['result', result],
      ['time', `${time(record.time)} s, took ${record.duration.toFixed(1)} µs`],
      ['sequence', `${record.sequence}, vCPU ${record.vcpu}`],
    ],
  };
}
