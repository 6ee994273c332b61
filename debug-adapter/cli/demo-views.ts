/** What the demo prints of a stopped guest: the parts that VS Code shows in its panels and in Ringside's views. */
import { readFileSync } from 'node:fs';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { InterruptsPart, MachineSnapshot, RegisterGroup, StatePart } from '../protocol/custom.ts';
import type { DapClient } from './dap-client.ts';
import { bold, cyan, dim, green, heading, print, size, table, wide, yellow } from './demo-layout.ts';

/** Source lines before and after the one that is shown. */
const CONTEXT = 3;
const MOST_ROWS = 8;

/** Prints the stack, and the source of its innermost frame; returns that frame. */
export async function showCallStack(client: DapClient, threadId: number, withSource: boolean) {
  const { stackFrames } = await client.request('stackTrace', { threadId });
  const [frame] = stackFrames;
  if (!frame) throw new Error('the guest has no stack');
  if (withSource) {
    heading('Stopped at a breakpoint', `${frame.source?.name}:${frame.line}`);
    showSource(frame);
  }
  heading('Call stack', `vCPU ${threadId - 1}`);
  table(
    stackFrames.map(({ name, source, line, instructionPointerReference }, n) => [
      `#${n}`,
      name,
      source ? `${source.name}:${line}` : '',
      instructionPointerReference ?? '',
    ]),
    [dim, bold, undefined, dim],
  );
  return frame;
}

export function showSource({ source, line }: DebugProtocol.StackFrame): void {
  const lines = source?.path === undefined ? [] : readFileSync(source.path, 'utf8').split('\n');
  for (let n = Math.max(1, line - CONTEXT); n <= Math.min(lines.length, line + CONTEXT); n++) {
    const text = `${String(n).padStart(5)}  ${lines[n - 1] ?? ''}`;
    print(n === line ? yellow(`→${text}`) : ` ${text}`);
  }
}

/** Locals and arguments; one level of what has members. */
export async function showLocals(client: DapClient, frameId: number): Promise<void> {
  heading('Locals and arguments');
  const { scopes } = await client.request('scopes', { frameId });
  const rows: string[][] = [];
  for (const { variablesReference } of scopes.filter(({ presentationHint }) => presentationHint !== 'registers')) {
    const { variables } = await client.request('variables', { variablesReference });
    for (const variable of variables) {
      rows.push([variable.name, variable.type ?? '', variable.value]);
      if (variable.variablesReference === 0) continue;
      const members = await client.request('variables', { variablesReference: variable.variablesReference });
      for (const member of members.variables.slice(0, MOST_ROWS)) {
        rows.push([`  ${member.name}`, member.type ?? '', member.value]);
      }
    }
  }
  table(rows, [bold, cyan]);
}

/** Prints one part of the machine's state. */
export async function showMachine(client: DapClient, threadId: number, part: StatePart): Promise<void> {
  const snapshot = await client.request('ringside/snapshot', { threadId, parts: [part] });
  const shown = snapshot[part];
  if (shown && 'error' in shown) {
    heading(part);
    print(`  ${yellow(shown.error)}`);
  } else {
    PRINTERS[part](snapshot);
  }
}

const PRINTERS: Readonly<Record<StatePart, (snapshot: MachineSnapshot) => void>> = {
  registers: ({ registers }) => showRegisters(registers as readonly RegisterGroup[]),
  pageTables: () => undefined,
  tasks: () => undefined,
  addressSpace: () => undefined,
  interrupts: ({ interrupts }) => showInterrupts(interrupts as InterruptsPart),
  hypercalls: ({ hypercalls }) => {
    if (!hypercalls || 'error' in hypercalls) return;
    heading('Hypercalls so far', String(hypercalls.total));
    table(
      hypercalls.records
        .slice(-MOST_ROWS)
        .map((call) => [
          `${(call.time / 1000).toFixed(2)} ms`,
          call.abi,
          call.name,
          call.arguments.map(({ name, value, text }) => `${name}=${text ?? value}`).join(' '),
          `→ ${call.resultText ?? call.result ?? ''}`,
          hypercalls.symbols[call.caller ?? call.rip] ?? '',
        ]),
      [dim, cyan, bold, undefined, green, dim],
    );
  },
  exits: ({ exits }) => {
    if (!exits || 'error' in exits) return;
    heading('Exits so far');
    const places = exits.counts.filter(({ kind }) => kind === 'place').slice(0, MOST_ROWS);
    table(
      places.map(({ reason, address, device, register, count }) => [
        `${count}`,
        reason ?? '',
        address ?? '',
        [device, register].filter(Boolean).join(' '),
      ]),
      [bold, cyan, undefined, dim],
    );
  },
  vcpus: ({ vcpus }) => {
    if (!vcpus || 'error' in vcpus) return;
    heading('vCPUs');
    table(
      vcpus.vcpus.map(({ thread, activity, exits, symbol, rip }) => [
        `vCPU ${thread - 1}`,
        activity,
        exits === undefined ? '' : `${exits} exits`,
        symbol ?? rip ?? '',
      ]),
      [bold, cyan, undefined, dim],
    );
  },
  memoryMap: ({ memoryMap }) => {
    if (!memoryMap || 'error' in memoryMap) return;
    heading('Guest-physical memory map', `${memoryMap.regions.length} regions`);
    table(
      memoryMap.regions.map(({ start, end, kind, name }) => [
        `${wide(start)} … ${wide(end)}`,
        size(BigInt(end) - BigInt(start)),
        kind,
        name,
      ]),
      [undefined, dim, cyan, bold],
    );
  },
};

function showRegisters(groups: readonly RegisterGroup[]): void {
  heading('vCPU registers');
  const all = groups.flatMap(({ registers }) => registers);
  const named = (name: string) => all.find((register) => register.name === name);
  const general = groups[0]?.registers.filter(({ bits }) => bits === 64) ?? [];
  const columns = 3;
  const height = Math.ceil(general.length / columns);
  for (let row = 0; row < height; row++) {
    const cells = [0, 1, 2].flatMap((column) => general[column * height + row] ?? []);
    print(`  ${cells.map(({ name, value }) => `${bold(name.padEnd(3))} ${wide(value)}`).join('   ')}`);
  }
  for (const name of ['eflags', 'cr0', 'cr4', 'efer']) {
    const register = named(name);
    const set = (register?.fields ?? []).filter(({ value }) => value !== 0);
    const names = set.map((field) => (field.high === field.low ? field.name : `${field.name}=${field.value}`));
    if (register) print(`  ${bold(name.padEnd(6))} ${register.value.padEnd(12)} ${dim(names.join(' '))}`);
  }
  const others = ['cr2', 'cr3', 'cs', 'ss', 'tr', 'gdtr_base', 'idtr_base', 'gs_base'].flatMap(
    (name) => named(name) ?? [],
  );
  print(`  ${others.map(({ name, value }) => `${bold(name)} ${value}`).join('  ')}`);
}

/** The translation of one address, level by level. */
export async function showWalk(client: DapClient, threadId: number, address: string): Promise<void> {
  const walk = await client.request('ringside/walk', { threadId, address });
  heading(`Page walk of ${address}`, `${walk.mode} paging`);
  table(
    walk.steps.map(({ entry, at }) => [
      entry.name,
      `[${entry.index}]`,
      `at ${at}`,
      `= ${wide(entry.raw)}`,
      entry.flags.join(' '),
    ]),
    [bold, undefined, dim, undefined, cyan],
  );
  const { result } = walk;
  print(
    result.kind === 'mapped'
      ? `  ${walk.address} → ${green(result.physical)} in a page of ${size(BigInt(result.size))} (${result.flags.join(' ')})`
      : `  ${walk.address}: ${yellow(result.reason)}`,
  );
}

function showInterrupts({ lapic, ioapic, pic, pending, idt }: InterruptsPart): void {
  heading('Interrupts');
  const list = (vectors: readonly number[]) => vectors.map((vector) => `0x${vector.toString(16)}`).join(' ') || 'none';
  const rows: string[][] = [];
  if (lapic) {
    rows.push([
      'LAPIC',
      `${lapic.mode}, TPR ${lapic.tpr}, requested ${list(lapic.irr)}, in service ${list(lapic.isr)}`,
    ]);
    const open = lapic.lvt.filter(({ masked }) => !masked);
    rows.push([
      'LVT',
      open.map(({ name, vector, delivery }) => `${name} ${delivery} 0x${vector.toString(16)}`).join(', ') ||
        'all masked',
    ]);
  }
  const routed = ioapic?.pins.filter(({ masked }) => !masked) ?? [];
  if (ioapic)
    rows.push([
      'IOAPIC',
      routed.map(({ pin, vector }) => `pin ${pin} → 0x${vector.toString(16)}`).join(', ') || 'all masked',
    ]);
  for (const chip of pic) {
    rows.push([
      `PIC ${chip.name}`,
      `base 0x${chip.vectorBase.toString(16)}, mask ${chip.imr.toString(2).padStart(8, '0')}`,
    ]);
  }
  rows.push(['Pending', describePending(pending)]);
  const handlers = idt.filter(({ present }) => present);
  const rest = handlers.length > MOST_ROWS ? `, the first ${MOST_ROWS}` : '';
  rows.push(['IDT', `${handlers.length} handlers${rest}`]);
  for (const { vector, name, symbol, handler } of handlers.slice(0, MOST_ROWS)) {
    rows.push([`  0x${vector.toString(16).padStart(2, '0')}`, `${name} ${dim('→')} ${symbol ?? handler}`]);
  }
  table(rows, [bold]);
}

function describePending({ exception, interrupt, nmi, mpState }: InterruptsPart['pending']): string {
  const waiting = [
    ...(exception ? [`exception ${exception.vector}`] : []),
    ...(interrupt ? [`interrupt 0x${interrupt.vector.toString(16)}`] : []),
    ...(nmi.pending ? ['NMI'] : []),
  ];
  return `${waiting.join(', ') || 'nothing'}; vCPU ${mpState}`;
}
