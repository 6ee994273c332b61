/** Where C-like source mentions variables, so that their values can be shown beside it. Knows no VS Code. */
import type { InlineScope } from '../../debug-adapter/protocol/custom.ts';

export interface Mention {
  readonly name: string;
  /** From 0, as an editor counts. */
  readonly line: number;
  readonly start: number;
}

/** Comments, strings, members of something else, tags, and names; a name is what is left. */
const TOKENS =
  /\/\/.*|\/\*.*?(?:\*\/|$)|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|(?:->|\.)\s*[A-Za-z_]\w*|\b(?:struct|union|enum)\s+\w+|[A-Za-z_]\w*|\d\w*/g;

/**
 * The first mention of each variable on each line from `first` to `last`, both from 0, as far as the frame's function and
 * the variable's scope have begun there.
 */
export function mentionsIn(
  lineAt: (line: number) => string,
  { line: start, variables }: InlineScope,
  first: number,
  last: number,
): readonly Mention[] {
  const since = new Map(variables.map(({ name, line }) => [name, line - 1]));
  const mentions: Mention[] = [];
  for (let line = Math.max(first, start - 1); line <= last; line++) {
    const seen = new Set<string>();
    for (const { 0: name, index } of lineAt(line).matchAll(TOKENS)) {
      const from = since.get(name);
      if (from === undefined || from > line || seen.has(name)) continue;
      seen.add(name);
      mentions.push({ name, line, start: index });
    }
  }
  return mentions;
}
