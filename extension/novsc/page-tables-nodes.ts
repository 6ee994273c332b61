/** Rows of the Page Tables view: one row an entry, one level a depth; and the steps of a walk. */
import type { PageTableEntry, PageTableRoot, PagingMode, Walk } from '../../debug-adapter/protocol/custom.ts';
import { size } from './format.ts';
import type { StateNode } from './state-node.ts';

/** Reads the table that the entry at `path` (indices from the root) points to. */
export type ReadTable = (path: readonly number[]) => Promise<readonly PageTableEntry[]>;

const modeNames: Readonly<Record<PagingMode, string>> = {
  none: 'paging is off',
  '32-bit': '32-bit paging',
  pae: 'PAE paging',
  '4-level': '4-level paging',
  '5-level': '5-level paging',
};

export function pageTablesNodes(root: PageTableRoot, read: ReadTable): StateNode[] {
  const base: StateNode = {
    id: 'pages/root',
    label: 'CR3',
    description: describeRoot(root),
    tooltip: 'Guest-physical address of the top paging structure, with its flags',
    icon: 'layers',
    value: root.cr3,
    copy: root.cr3,
  };
  return [base, ...root.entries.map((entry) => entryNode(entry, [], 'pages', read))];
}

function describeRoot({ mode, cr3, kernelCr3 }: PageTableRoot): string {
  if (mode === 'none') return modeNames.none;
  const hidden = kernelCr3 === undefined ? '' : `, for user code; the kernel’s is ${kernelCr3}`;
  return `${cr3}  ${modeNames[mode]}${hidden}`;
}

function entryNode(entry: PageTableEntry, above: readonly number[], prefix: string, read: ReadTable): StateNode {
  const path = [...above, entry.index];
  const node: StateNode = {
    id: `${prefix}/${path.join('.')}`,
    label: `${entry.name}[${entry.index}]`,
    description: describe(entry),
    tooltip: [
      `${entry.name} ${entry.index}: ${entry.raw}`,
      `maps ${entry.address}, ${size(BigInt(entry.size))}`,
      `${entry.leaf ? 'page' : 'table'} at guest-physical ${entry.target}`,
      entry.flags.join(' '),
    ].join('\n'),
    icon: entry.leaf ? 'symbol-field' : 'list-tree',
    value: entry.raw,
    copy: entry.raw,
    address: entry.address,
    physical: entry.target,
  };
  if (entry.leaf) return node;
  return { ...node, children: async () => (await read(path)).map((child) => entryNode(child, path, prefix, read)) };
}

function describe(entry: PageTableEntry): string {
  const flags = entry.flags.filter((flag) => flag !== 'P').join(' ');
  const target = entry.leaf ? `→ ${entry.target}  ${size(BigInt(entry.size))}` : `→ table ${entry.target}`;
  return [entry.address, target, flags, entry.symbol].filter(Boolean).join('  ');
}

/** The steps of one walk from CR3 down, and what came of it. `expression` is what the user asked for. */
export function walkNode(expression: string, walk: Walk): StateNode {
  const id = `walk/${expression}`;
  const end = outcome(walk);
  return {
    id,
    label: expression === walk.address ? `Walk of ${walk.address}` : `Walk of ${expression} = ${walk.address}`,
    description: end.short,
    icon: end.ok ? 'pass' : 'error',
    value: end.short,
    copy: end.copy,
    address: walk.address,
    ...(walk.result.kind === 'mapped' ? { physical: walk.result.physical } : {}),
    walk: true,
    expanded: true,
    children: [
      ...walk.steps.map(
        ({ entry, at }): StateNode => ({
          id: `${id}/${entry.level}`,
          label: `${entry.name}[${entry.index}]`,
          description: `${entry.raw} at ${at}  ${entry.flags.join(' ')}`,
          tooltip: `${entry.name} ${entry.index}, read from guest-physical ${at}: ${entry.raw}`,
          icon: entry.leaf ? 'symbol-field' : 'list-tree',
          value: entry.raw,
          copy: entry.raw,
        }),
      ),
      {
        id: `${id}/end`,
        label: end.ok ? 'mapped' : 'fault',
        description: end.long,
        icon: end.ok ? 'pass' : 'error',
        copy: end.copy,
      },
      ...(walk.result.kind === 'mapped' ? walk.result.accesses : []).map(
        ({ access, fault }): StateNode => ({
          id: `${id}/${access}`,
          label: access,
          description: fault ? `faults: ${fault}` : 'allowed',
          icon: fault ? 'error' : 'pass',
          value: fault ?? '',
          copy: fault ?? 'allowed',
        }),
      ),
    ],
  };
}

function outcome(walk: Walk): { ok: boolean; short: string; long: string; copy: string } {
  const { result } = walk;
  if (result.kind === 'fault') return { ok: false, short: result.reason, long: result.reason, copy: result.reason };
  const page = `${size(BigInt(result.size))} page`;
  return {
    ok: true,
    short: `→ ${result.physical}`,
    long: `guest-physical ${result.physical}, ${page}, ${result.flags.join(' ')}`,
    copy: result.physical,
  };
}
