/** Completions in the debug console: registers, members of what stands before a dot or arrow, variables, symbols. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Completion } from '../expressions/api.ts';
import type { Area } from './area.ts';
import { integer, text } from './arguments.ts';

const MOST_ITEMS = 100;

const ITEM_TYPES: Readonly<Record<Completion['kind'], DebugProtocol.CompletionItemType>> = {
  register: 'property',
  member: 'field',
  variable: 'variable',
  symbol: 'value',
};

export const completions: Area = {
  capabilities: { supportsCompletionsRequest: true, completionTriggerCharacters: ['.', '>', '$'] },
  handlers: {
    completions: async (session, args) => {
      const written = text('text', args.text);
      const base = session.client.columnsStartAt1 === false ? 0 : 1;
      const column = integer('column', args.column, base, 65_537) - base;
      const { context } = await session.frame(args.frameId);
      const { start, completions } = await session.expressions.complete(written, column, context, MOST_ITEMS);
      const replaced = { start: start + base, length: column - start };
      return { targets: completions.map(({ name, kind }) => ({ label: name, type: ITEM_TYPES[kind], ...replaced })) };
    },
  },
};
