/**
 * What the guest can be stopped on besides breakpoints, as `monitor stop-on` takes it and inspect carries it:
 *
 *     port FIRST[-LAST] [read|write]     mmio START[-LAST] [read|write]     msr INDEX [read|write]
 *     exception VECTOR     hypercall [kvm|xen|hyperv] [NUMBER]     exit io|mmio|rdmsr|wrmsr     triple-fault
 *     cr0|cr3|cr4|cr8
 *
 * A stop comes after the access, with RIP behind its instruction, as a watchpoint's does; an exception's stop is before the
 * first instruction of the guest's handler, one for a control register before the instruction that writes it.
 */
import { type Hex, hex } from './hex.ts';
import { HYPERCALL_ABIS, type HypercallAbiName } from './hypercall-event.ts';

export type StopAccess = 'read' | 'write' | 'any';

export type StopOn =
  | { readonly kind: 'port'; readonly first: number; readonly last: number; readonly access: StopAccess }
  /** Guest-physical addresses that no RAM answers; `last` is the last one that counts. */
  | { readonly kind: 'mmio'; readonly first: Hex; readonly last: Hex; readonly access: StopAccess }
  | { readonly kind: 'msr'; readonly index: number; readonly access: StopAccess }
  | { readonly kind: 'exception'; readonly vector: number }
  /** Every call, or those of one convention, or of one number: for Hyper-V the call code. */
  | { readonly kind: 'hypercall'; readonly abi?: HypercallAbiName; readonly number?: Hex }
  /** A VM exit that reaches the core, by its name in KVM's API without KVM_EXIT_. */
  | { readonly kind: 'exit'; readonly reason: ExitReason }
  /** Always stops; asking for it is no error. */
  | { readonly kind: 'triple-fault' }
  /** Before an instruction that writes `cr0`, `cr3`, `cr4` or `cr8`, in code that is known by then. */
  | { readonly kind: 'control-register'; readonly name: string };

const EXIT_REASONS = ['io', 'mmio', 'rdmsr', 'wrmsr'] as const;
export type ExitReason = (typeof EXIT_REASONS)[number];

const number = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^(0x[0-9a-f]{1,16}|[0-9]{1,10})$/i.test(text) ? BigInt(text) : undefined;

/** Reads one line of the form above; undefined when it is not of it. */
export function parseStopOn(text: string): StopOn | undefined {
  const [kind = '', ...words] = text.toLowerCase().trim().split(/\s+/);
  if (kind === 'hypercall') return parseHypercall(words);
  const [what, how, ...more] = words;
  if (more.length > 0 || (how !== undefined && how !== 'read' && how !== 'write')) return undefined;
  const access = how ?? 'any';
  if (what === undefined) {
    if (kind === 'triple-fault') return { kind };
    return /^cr[0348]$/.test(kind) ? { kind: 'control-register', name: kind } : undefined;
  }
  if (kind === 'exit') {
    const reason = EXIT_REASONS.find((name) => name === what);
    return reason && how === undefined ? { kind, reason } : undefined;
  }
  const [from, to = from] = what.split('-', 2);
  const [first, last] = [number(from), number(to)];
  if (first === undefined || last === undefined || last < first) return undefined;
  if (kind === 'mmio') return { kind, first: hex(first), last: hex(last), access };
  if (kind === 'port') return last <= 0xffffn ? { kind, first: Number(first), last: Number(last), access } : undefined;
  if (first !== last) return undefined;
  if (kind === 'msr') return first <= 0xffff_ffffn ? { kind, index: Number(first), access } : undefined;
  return kind === 'exception' && how === undefined && first <= 255n ? { kind, vector: Number(first) } : undefined;
}

/** `[kvm|xen|hyperv] [NUMBER]` */
function parseHypercall(words: readonly string[]): StopOn | undefined {
  const abi = HYPERCALL_ABIS.find((name) => name === words[0]);
  const [numberText, ...more] = abi ? words.slice(1) : words;
  const wanted = number(numberText);
  if (more.length > 0 || (numberText !== undefined && wanted === undefined)) return undefined;
  return { kind: 'hypercall', ...(abi && { abi }), ...(wanted !== undefined && { number: hex(wanted) }) };
}

/** The line that {@link parseStopOn} reads. */
export function formatStopOn(stop: StopOn): string {
  const how = 'access' in stop && stop.access !== 'any' ? ` ${stop.access}` : '';
  switch (stop.kind) {
    case 'port':
      return `port ${hex(BigInt(stop.first))}${stop.last === stop.first ? '' : `-${hex(BigInt(stop.last))}`}${how}`;
    case 'mmio':
      return `mmio ${stop.first}${stop.last === stop.first ? '' : `-${stop.last}`}${how}`;
    case 'msr':
      return `msr ${hex(BigInt(stop.index))}${how}`;
    case 'exception':
      return `exception ${stop.vector}`;
    case 'exit':
      return `exit ${stop.reason}`;
    case 'hypercall':
      return [stop.kind, stop.abi, stop.number].filter((word) => word !== undefined).join(' ');
    case 'control-register':
      return stop.name;
    default:
      return stop.kind;
  }
}
