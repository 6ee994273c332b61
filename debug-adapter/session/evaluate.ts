/** Expressions: watch, hover, the debug console, and changing what they name. Monitor commands go to the stub. */

import type { Area } from './area.ts';
import { text } from './arguments.ts';
import type { Session } from './session.ts';
import { describeValue, valueFormat } from './variables.ts';
import { announcing, assign } from './writes.ts';

/** `>command`, `monitor command` and `-exec command` in the debug console. */
const MONITOR = /^\s*(?:>|monitor\s|-exec\s)\s*(.*)$/s;

export const evaluate: Area = {
  capabilities: {
    supportsEvaluateForHovers: true,
    supportsSetExpression: true,
    supportsClipboardContext: true,
  },
  handlers: {
    evaluate: async (session, args) => {
      const source = text('expression', args.expression);
      const command = args.context === 'repl' ? MONITOR.exec(source)?.[1] : undefined;
      if (command !== undefined) return { result: await monitor(session, command), variablesReference: 0 };
      const shown = await session.frame(args.frameId);
      const written = session.expressions.splitFormat(source);
      const evaluated = () => session.expressions.evaluate(written.source, shown.context);
      // What a client evaluates by itself it would evaluate again when it is told of a write, and so without end.
      const value = await (args.context === 'repl' ? announcing(session, shown.thread, evaluated) : evaluated());
      return describeValue(session, shown, value, written.format ?? valueFormat(args.format));
    },

    setExpression: async (session, args) => {
      const shown = await session.frame(args.frameId);
      const target = await session.expressions.evaluate(text('expression', args.expression), shown.context);
      const now = await assign(session, shown, target, text('value', args.value));
      const { result, ...described } = await describeValue(session, shown, now, valueFormat(args.format));
      return { value: result, ...described };
    },
  },
};

/** A stub answers commands only while its guest stands still. */
function monitor(session: Session, command: string): Promise<string> {
  const { runner, target } = session.guest;
  return runner.whileStopped(async () => (await target.monitor(command)).trimEnd());
}
