/** Addresses that users give as C expressions. */
import { parseHex } from '../../hypervisor-core/protocol/hex.ts';
import { text } from './arguments.ts';
import { badNumber } from './errors.ts';
import type { Session } from './session.ts';

/** The value of a C expression, an argument named `name`, as an address. Throws a `UserError` for what is none. */
export async function addressValue(session: Session, thread: number, name: string, source: unknown): Promise<bigint> {
  const { context } = await session.frameAt({ thread, index: 0 });
  const expression = text(name, source);
  const value = await session.expressions.evaluate(`(unsigned long)(${expression})`, context);
  const { text: digits } = await session.expressions.format(value, context, { radix: 'hex' });
  const found = /^0x[0-9a-f]{1,16}/i.exec(digits)?.[0];
  if (found === undefined) throw badNumber(expression);
  return parseHex(found);
}
