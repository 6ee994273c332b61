/** Completions in the debug console: registers, members of what stands before a dot or arrow, variables, symbols. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Area } from './area.ts';
import { integer, text } from './arguments.ts';
import type { Session, ShownFrame } from './session.ts';

const MOST_ITEMS = 100;

export const completions: Area = {
  capabilities: { supportsCompletionsRequest: true, completionTriggerCharacters: ['.', '>', '$'] },
  handlers: {
    completions: async (session, args) => {
      const before = text('text', args.text).slice(0, integer('column', args.column, 0, 65_537) - 1);
      const shown = await session.frame(args.frameId);
      const member = /([\w$][\w$.[\]]*(?:->[\w$.[\]]+)*)\s*(\.|->)(\w*)$/.exec(before);
      const word = /\$?\w*$/.exec(before)?.[0] ?? '';
      const targets = member
        ? await members(session, shown, member[1] ?? '', member[2] === '->', member[3] ?? '')
        : names(shown, word);
      const replaced = (member?.[3] ?? word).length;
      return { targets: targets.slice(0, MOST_ITEMS).map((item) => ({ ...item, length: replaced })) };
    },
  },
};

async function members(session: Session, shown: ShownFrame, left: string, arrow: boolean, prefix: string) {
  try {
    const value = await session.expressions.evaluate(arrow ? `*(${left})` : left, shown.context);
    const children = await session.expressions.children(value, shown.context, 0, MOST_ITEMS);
    return items(
      children.map(({ name }) => name).filter((name) => name.startsWith(prefix)),
      'field',
    );
  } catch {
    return [];
  }
}

function names({ frame, context }: ShownFrame, prefix: string): DebugProtocol.CompletionItem[] {
  if (prefix.startsWith('$')) {
    const registers = context.registerNames().map((name) => `$${name}`);
    return items(
      registers.filter((name) => name.startsWith(prefix)),
      'property',
    );
  }
  const { symbols } = context;
  if (!symbols) return [];
  const local = symbols.variablesAt(frame.pc, frame.level).map(({ name }) => name);
  const global = prefix === '' ? [] : symbols.namesWithPrefix(prefix, MOST_ITEMS);
  return items([...new Set([...local.filter((name) => name.startsWith(prefix)), ...global])], 'variable');
}

const items = (labels: readonly string[], type: DebugProtocol.CompletionItemType): DebugProtocol.CompletionItem[] =>
  labels.map((label) => ({ label, type }));
