/** Parses where names mean something: `(name)` is a cast when the name is a type there, and macros are expanded. */
import { isTypedefName, namesSomething } from './lookup.ts';
import type { Environment } from './operands.ts';
import { parseExpression } from './parser.ts';
import { sugarNames } from './sugar.ts';
import type { Node } from './syntax.ts';
import { taskMacro } from './task-macros.ts';

/** Throws ExpressionError for what is no expression. */
export function parseIn(source: string, { context, model }: Environment): Node {
  const known = new Map<string, boolean>();
  const isType = (name: string) => {
    const is = known.get(name) ?? isTypedefName(name, context, model);
    known.set(name, is);
    return is;
  };
  // Linux defines some macros as themselves, and others around statements: what has a meaning without them keeps it.
  const macro = (name: string) => {
    if (name.startsWith('$')) return taskMacro(name, context.symbols);
    const found = sugarNames.includes(name) ? undefined : context.symbols?.macro(name, context.frame.pc);
    return found && !isType(name) && !namesSomething(name, context) ? found : undefined;
  };
  return parseExpression(source, isType, macro);
}
