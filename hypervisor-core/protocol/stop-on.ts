/**
 * What the guest can be stopped on besides breakpoints, as `monitor stop-on` takes it and inspect carries it:
 *
 *     port FIRST[-LAST] [read|write]     mmio START[-LAST] [read|write]     msr INDEX [read|write]
 *     exception VECTOR     hypercall     exit io|mmio|rdmsr|wrmsr     triple-fault     cr0|cr3|cr4|cr8
 *
 * A stop comes after the access, with RIP behind its instruction, as a watchpoint's does; an exception's stop is before the
 * first instruction of the guest's handler.
 */
import type { Hex } from './hex.ts';

export type StopAccess = 'read' | 'write' | 'any';

export type StopOn =
  | { readonly kind: 'port'; readonly first: number; readonly last: number; readonly access: StopAccess }
  /** Guest-physical addresses that no RAM answers; `last` is the last one that counts. */
  | { readonly kind: 'mmio'; readonly first: Hex; readonly last: Hex; readonly access: StopAccess }
  | { readonly kind: 'msr'; readonly index: number; readonly access: StopAccess }
  | { readonly kind: 'exception'; readonly vector: number }
  | { readonly kind: 'hypercall' }
  /** A VM exit that reaches the core, by its name in KVM's API without KVM_EXIT_. */
  | { readonly kind: 'exit'; readonly reason: ExitReason }
  /** Always stops; asking for it is no error. */
  | { readonly kind: 'triple-fault' }
  /** KVM gives no user space this; asked for, it is refused with the reason. */
  | { readonly kind: 'control-register'; readonly name: string };

const EXIT_REASONS = ['io', 'mmio', 'rdmsr', 'wrmsr'] as const;
export type ExitReason = (typeof EXIT_REASONS)[number];

const number = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^(0x[0-9a-f]{1,16}|[0-9]{1,10})$/i.test(text) ? BigInt(text) : undefined;

/** Reads one line of the form above; undefined when it is not of it. */
export function parseStopOn(text: string): StopOn | undefined {
  const [kind = '', what, how, ...more] = text.toLowerCase().trim().split(/\s+/);
  if (more.length > 0 || (how !== undefined && how !== 'read' && how !== 'write')) return undefined;
  const access = how ?? 'any';
  if (what === undefined) {
    if (kind === 'hypercall' || kind === 'triple-fault') return { kind };
    return /^cr[0348]$/.test(kind) ? { kind: 'control-register', name: kind } : undefined;
  }
  if (kind === 'exit') {
    const reason = EXIT_REASONS.find((name) => name === what);
    return reason && how === undefined ? { kind, reason } : undefined;
  }
  const [from, to = from] = what.split('-', 2);
  const [first, last] = [number(from), number(to)];
  if (first === undefined || last === undefined || last < first) return undefined;
  if (kind === 'mmio') return { kind, first: `0x${first.toString(16)}`, last: `0x${last.toString(16)}`, access };
  if (kind === 'port') return last <= 0xffffn ? { kind, first: Number(first), last: Number(last), access } : undefined;
  if (first !== last) return undefined;
  if (kind === 'msr') return first <= 0xffff_ffffn ? { kind, index: Number(first), access } : undefined;
  return kind === 'exception' && how === undefined && first <= 255n ? { kind, vector: Number(first) } : undefined;
}

/** The line that {@link parseStopOn} reads. */
export function formatStopOn(stop: StopOn): string {
  const hex = (value: number) => `0x${value.toString(16)}`;
  const how = 'access' in stop && stop.access !== 'any' ? ` ${stop.access}` : '';
  switch (stop.kind) {
    case 'port':
      return `port ${hex(stop.first)}${stop.last === stop.first ? '' : `-${hex(stop.last)}`}${how}`;
    case 'mmio':
      return `mmio ${stop.first}${stop.last === stop.first ? '' : `-${stop.last}`}${how}`;
    case 'msr':
      return `msr ${hex(stop.index)}${how}`;
    case 'exception':
      return `exception ${stop.vector}`;
    case 'exit':
      return `exit ${stop.reason}`;
    case 'control-register':
      return stop.name;
    default:
      return stop.kind;
  }
}
