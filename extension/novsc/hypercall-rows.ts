/** The columns of the Hypercalls view, and the details of a call. */
import { count, duration, rate, time } from './format.ts';
import type { Call, CallCount } from './hypercall-log.ts';
import type { LogDetails } from './log-messages.ts';
import type { Run } from './log-model.ts';
import type { Column } from './table.ts';

/** Where the call was made: the caller of a hypercall page, or the call itself. */
export const callAddress = ({ caller, rip }: Call) => caller ?? rip;

/** What to ask for to be stopped at the next call of the same code. */
export const callStopLine = ({ abi, code }: Pick<Call, 'abi' | 'code'>): string => `hypercall ${abi} ${code}`;

/** Of a call that did not return, nothing. */
const took = ({ duration: lasted }: Call) => (lasted === undefined ? '' : duration(lasted));

const words = ({ value, text }: { readonly value: string; readonly text?: string }) => text ?? value;

export const callColumns: readonly Column<Run<Call>>[] = [
  {
    key: 'time',
    title: 'Time',
    width: '6.2em',
    rank: 3,
    numeric: true,
    text: ({ item }) => time(item.time),
    order: (run) => run.at,
  },
  {
    key: 'vcpu',
    title: 'CPU',
    width: '2.4em',
    rank: 5,
    numeric: true,
    text: ({ item }) => `${item.vcpu}`,
    order: ({ item }) => item.vcpu,
  },
  { key: 'abi', title: 'ABI', width: '4em', rank: 7, text: ({ item }) => item.abi },
  { key: 'call', title: 'Call', width: 'minmax(9em, 3fr)', text: ({ item }) => item.name || item.number },
  {
    key: 'times',
    title: '×',
    width: '3em',
    rank: 1,
    numeric: true,
    text: (run) => (run.count > 1 ? count(run.count) : ''),
    order: (run) => run.count,
  },
  {
    key: 'args',
    title: 'Arguments',
    width: 'minmax(7em, 2fr)',
    text: ({ item }) => item.arguments.map((argument) => `${argument.name}=${words(argument)}`).join(', '),
  },
  {
    key: 'result',
    title: 'Result',
    width: 'minmax(4em, 1fr)',
    rank: 2,
    numeric: true,
    text: ({ item }) => item.resultText ?? item.result ?? '',
    order: ({ item }) => BigInt(item.result ?? -1),
  },
  {
    key: 'took',
    title: 'Took',
    width: '5em',
    rank: 6,
    numeric: true,
    text: ({ item }) => took(item),
    order: ({ item }) => item.duration ?? -1,
  },
  {
    key: 'where',
    title: 'From',
    width: 'minmax(6em, 2fr)',
    rank: 4,
    text: ({ item }) => item.symbol ?? callAddress(item),
  },
];

/** Two calls that say the same, for all that is shown of them but time and duration. */
export function callRepeats(before: Call, call: Call): boolean {
  return (
    before.number === call.number &&
    before.vcpu === call.vcpu &&
    before.abi === call.abi &&
    before.result === call.result &&
    callAddress(before) === callAddress(call) &&
    before.arguments.every(({ value, text }, index) => {
      const other = call.arguments[index];
      return value === other?.value && text === other.text;
    })
  );
}

export function callFacts({ item, last, count: times }: Run<Call>): LogDetails['facts'] {
  const address = callAddress(item);
  const several = times > 1;
  return [
    ['call', item.name ? `${item.name} (${item.number})` : item.number],
    ['interface', `${item.abi}, CPL ${item.cpl}`],
    ['from', item.symbol ? `${item.symbol} (${address})` : address],
    ...item.arguments.map(({ name, value, text }) => [name, text ? `${value} ${text}` : value] as const),
    ['result', item.resultText ? `${item.result} ${item.resultText}` : (item.result ?? 'none')],
    ['time', `${time(item.time)} s${several ? ` to ${time(last.time)} s` : ''}, took ${took(item) || 'unknown'}`],
    ['sequence', several ? `${item.sequence} to ${last.sequence}, ${times} times` : `${item.sequence}`],
    ['vCPU', `${item.vcpu}`],
  ];
}

export const countColumns: readonly Column<CallCount>[] = [
  { key: 'abi', title: 'ABI', width: '4em', rank: 5, text: ({ abi }) => abi },
  { key: 'call', title: 'Call', width: 'minmax(8em, 3fr)', text: ({ name, code }) => name || code },
  {
    key: 'code',
    title: 'Number',
    width: '5em',
    rank: 4,
    numeric: true,
    text: ({ code }) => code,
    order: (row) => BigInt(row.code),
  },
  {
    key: 'calls',
    title: 'Calls',
    width: '5em',
    numeric: true,
    text: ({ calls }) => count(calls),
    order: ({ calls }) => calls,
  },
  {
    key: 'rate',
    title: 'A second',
    width: '5em',
    rank: 1,
    numeric: true,
    text: (row) => rate(row.rate),
    order: (row) => row.rate,
  },
  {
    key: 'mean',
    title: 'Took, mean',
    width: '6em',
    rank: 2,
    numeric: true,
    text: ({ time: all, calls }) => duration(all / calls),
    order: ({ time: all, calls }) => all / calls,
  },
  {
    key: 'time',
    title: 'Took, all',
    width: '6em',
    rank: 3,
    numeric: true,
    text: (row) => duration(row.time),
    order: (row) => row.time,
  },
];
