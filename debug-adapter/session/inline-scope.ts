/** From which line on each variable of a frame is in scope, for the values that an editor shows beside the source. */
import type { InlineScope } from '../protocol/custom.ts';
import type { ShownFrame } from './session.ts';
import { variablesOf } from './variables.ts';

export function inlineScope(shown: ShownFrame): InlineScope {
  const { frame } = shown;
  const file = frame.line?.file;
  const declared = frame.function?.declared;
  const line = declared?.file === file ? (declared?.line ?? 1) : 1;
  const variables = variablesOf(shown).filter(({ declared: at }) => at === undefined || at.file === file);
  return { line, variables: variables.map(({ name, declared: at }) => ({ name, line: at?.line ?? line })) };
}
