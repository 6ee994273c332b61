/** Rows of the Tasks view: processes with their threads; below each its call stack, which is read when it is expanded. */
import type { Hex, LinuxTask, TaskFrame, TasksPart } from '../../debug-adapter/protocol/custom.ts';
import type { StateNode } from './state-node.ts';

/** include/linux/sched.h, PF_: those that tell what kind of task it is. */
const flagNames: readonly (readonly [number, string])[] = [
  [0x2, 'idle'],
  [0x4, 'exiting'],
  [0x20, 'worker of a workqueue'],
  [0x200000, 'kernel thread'],
];

const stateNames: Readonly<Record<string, string>> = {
  R: 'running or runnable',
  S: 'sleeping',
  D: 'sleeping, not to be interrupted',
  T: 'stopped',
  t: 'stopped by a tracer',
  X: 'dead',
  Z: 'zombie',
  P: 'parked',
  I: 'idle',
};

/** @param stackOf reads the call stack of the task whose `task_struct` is at an address */
export function tasksNodes(
  { tasks, problem }: TasksPart,
  stackOf: (address: Hex) => Promise<readonly TaskFrame[]>,
): StateNode[] {
  const rows = tasks.map((task) => taskNode(task, stackOf));
  return problem === undefined ? rows : [{ id: 'tasks/problem', label: problem, icon: 'warning' }, ...rows];
}

function taskNode(task: LinuxTask, stackOf: (address: Hex) => Promise<readonly TaskFrame[]>): StateNode {
  const { address, pid, tgid, comm, state, cpu, threadId } = task;
  const id = `tasks/${address}`;
  const where = threadId === undefined ? '' : `, on vCPU ${threadId - 1}`;
  const thread = pid === tgid ? '' : ` of ${tgid}`;
  return {
    id,
    label: comm,
    description: `${pid}${thread}  ${state}  CPU ${cpu}${where}`,
    tooltip: tooltipOf(task),
    icon: threadId === undefined ? 'circle-outline' : 'play-circle',
    value: `${state} ${cpu} ${threadId ?? ''}`,
    copy: String(pid),
    task: pid,
    address,
    children: async () => (await stackOf(address)).map((frame, index) => frameNode(`${id}/${index}`, frame)),
  };
}

function tooltipOf({ address, parent, state, flags, stack }: LinuxTask): string {
  const kinds = flagNames.filter(([bit]) => flags & bit).map(([, name]) => name);
  return [
    `state ${state}: ${stateNames[state] ?? 'unknown'}`,
    `parent ${parent}`,
    `flags 0x${flags.toString(16)}${kinds.length > 0 ? `: ${kinds.join(', ')}` : ''}`,
    `task_struct at ${address}`,
    `kernel stack at ${stack}`,
  ].join('\n');
}

function frameNode(id: string, { address, name, file, line }: TaskFrame): StateNode {
  return {
    id,
    label: name,
    description: file === undefined ? address : `${file.replace(/^.*\//, '')}:${line}`,
    tooltip: file === undefined ? address : `${file}:${line}\n${address}`,
    icon: 'debug-stackframe',
    copy: name,
    address,
    code: true,
  };
}
