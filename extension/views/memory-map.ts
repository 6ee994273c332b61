/** Memory Map: guest-physical regions and I/O ports. */
import type { Disposable } from 'vscode';
import { memoryMapNodes } from '../novsc/memory-map-nodes.ts';
import type { StopStore } from '../state/stop-store.ts';
import { StateTree } from './state-tree.ts';

export function memoryMapView(store: StopStore): Disposable {
  return new StateTree(store, { view: 'ringside.memoryMap', part: 'memoryMap', build: memoryMapNodes });
}
