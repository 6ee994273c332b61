/** Values of the stopped frame's variables beside its source. VS Code has them already, for its Variables view. */
import {
  type CancellationToken,
  type Disposable,
  type InlineValue,
  type InlineValueContext,
  InlineValueVariableLookup,
  languages,
  Range,
  type TextDocument,
} from 'vscode';
import { mentionsIn } from '../novsc/inline-mentions.ts';
import { activeSession, request } from './ringside-session.ts';

const LANGUAGES = ['c', 'cpp', 'rust', 'zig'];

export function registerInlineValues(): Disposable {
  return languages.registerInlineValuesProvider(LANGUAGES, { provideInlineValues });
}

async function provideInlineValues(
  document: TextDocument,
  viewPort: Range,
  { frameId, stoppedLocation }: InlineValueContext,
  token: CancellationToken,
): Promise<InlineValue[]> {
  const session = activeSession();
  if (!session) return [];
  const scope = await request(session, 'ringside/inlineScope', { frameId }).catch(() => undefined);
  if (!scope || token.isCancellationRequested) return [];
  const last = Math.min(viewPort.end.line, stoppedLocation.end.line, document.lineCount - 1);
  return mentionsIn((line) => document.lineAt(line).text, scope, viewPort.start.line, last).map(
    ({ name, line, start }) => new InlineValueVariableLookup(new Range(line, start, line, start + name.length), name),
  );
}
