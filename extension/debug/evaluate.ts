/** Addresses that people type: numbers or C expressions. */
import { type DebugSession, window } from 'vscode';
import type { Hex } from '../../debug-adapter/protocol/custom.ts';

interface EvaluateBody {
  readonly result: string;
  readonly memoryReference?: string;
}

/** The value of an expression as an address. Throws an `Error` whose message can be shown. */
export async function evaluateAddress(session: DebugSession, expression: string): Promise<Hex> {
  const body: EvaluateBody = await session.customRequest('evaluate', { expression, context: 'watch' });
  const address = body.memoryReference ?? /0x[0-9a-fA-F]+|[0-9]+/.exec(body.result)?.[0];
  if (!address) throw new Error(`it is ${body.result}, which is no address.`);
  return `0x${BigInt(address).toString(16)}`;
}

/** What somebody typed into an input box as an address; says so where it is none, or nothing where nothing was typed. */
export async function askedAddress(
  session: DebugSession | undefined,
  expression: string | undefined,
): Promise<Hex | undefined> {
  if (!expression?.trim() || !session) return undefined;
  try {
    return await evaluateAddress(session, expression);
  } catch (error) {
    await window.showErrorMessage(`${expression}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
