/** Memory Map: guest-physical regions and I/O ports, as a tree in the side bar, and to scale in an editor. */
import type { Disposable, ExtensionContext } from 'vscode';
import { l10n } from 'vscode';
import type { ToMemoryMap } from '../novsc/memory-map-messages.ts';
import { memoryMapNodes } from '../novsc/memory-map-nodes.ts';
import type { StopStore } from '../state/stop-store.ts';
import { StatePanel } from './state-panel.ts';
import { StateTree } from './state-tree.ts';

export function memoryMapView(store: StopStore): Disposable {
  return new StateTree(store, { view: 'ringside.memoryMap', part: 'memoryMap', build: memoryMapNodes });
}

/** The page has no messages of its own. */
export function memoryMapPanel(
  context: ExtensionContext,
  store: StopStore,
): StatePanel<'memoryMap', never, ToMemoryMap> {
  return new StatePanel(context, store, {
    page: 'memory-map',
    title: l10n.t('Memory Map'),
    part: 'memoryMap',
    message: ({ value, ...rest }) => ({ kind: 'state', map: value, ...rest }),
  });
}
