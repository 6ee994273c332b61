/** Colours of rows: values that changed since the last stop, and state that is left over from a guest that ended. */
import { type Disposable, FileDecoration, ThemeColor, Uri, window } from 'vscode';

type Mark = 'changed' | 'ended';

const SCHEME = 'ringside-mark';

const decorations: Readonly<Record<Mark, FileDecoration>> = {
  changed: new FileDecoration(undefined, 'changed since the last stop', new ThemeColor('ringside.changedForeground')),
  ended: new FileDecoration(undefined, 'the guest has ended', new ThemeColor('disabledForeground')),
};

/** The resource of a row with this mark; `id` keeps rows apart. */
export function markUri(mark: Mark, id: string): Uri {
  return Uri.from({ scheme: SCHEME, authority: mark, path: `/${encodeURIComponent(id)}` });
}

export function registerMarks(): Disposable {
  return window.registerFileDecorationProvider({
    provideFileDecoration: (uri) => (uri.scheme === SCHEME ? decorations[uri.authority as Mark] : undefined),
  });
}
