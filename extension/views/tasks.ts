/** Tasks of a Linux guest. */
import type { Disposable } from 'vscode';
import { request } from '../debug/ringside-session.ts';
import { tasksNodes } from '../novsc/tasks-nodes.ts';
import type { StopStore } from '../state/stop-store.ts';
import { StateTree } from './state-tree.ts';

export function tasksView(store: StopStore): Disposable {
  return new StateTree(store, {
    view: 'ringside.tasks',
    part: 'tasks',
    build: (part) =>
      tasksNodes(part, async (address) => {
        const { session } = store;
        return session ? (await request(session, 'ringside/taskStack', { address })).frames : [];
      }),
  });
}
