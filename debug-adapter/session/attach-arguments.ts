/** launch.json of an `attach`, checked. */
import type { AttachAttributes } from '../protocol/custom.ts';
import { parseStubAddress, STUB_ADDRESSES, type StubAddress } from '../target/stub-address.ts';
import { file, files, flag, quoted, type Raw, sourceMap, texts } from './attributes.ts';
import { missingAttribute, wrongAttribute } from './errors.ts';

/** As {@link AttachAttributes}, with defaults filled in. */
export interface AttachArguments {
  readonly request: 'attach';
  readonly target: StubAddress;
  readonly qmp?: StubAddress;
  readonly inspect?: StubAddress;
  readonly program?: string;
  readonly symbols?: string;
  readonly moreSymbols: readonly string[];
  readonly sourceMap: Readonly<Record<string, string>>;
  readonly sourceFolders: readonly string[];
  readonly stopOnEntry: boolean;
}

/** Checks the attributes. Throws a `UserError` for the first that is wrong. */
export async function readAttachArguments(raw: Raw<AttachAttributes>): Promise<AttachArguments> {
  const target = address('target', raw.target);
  if (!target) throw missingAttribute('target', `where the GDB stub listens: ${STUB_ADDRESSES}`);
  const qmp = address('qmp', raw.qmp);
  const inspect = address('inspect', raw.inspect);
  const program = await file('program', raw.program);
  const symbols = await file('symbols', raw.symbols);
  return {
    request: 'attach',
    target,
    sourceMap: sourceMap(raw.sourceMap ?? {}),
    sourceFolders: texts('sourceFolders', raw.sourceFolders ?? []),
    moreSymbols: await files('moreSymbols', raw.moreSymbols ?? []),
    stopOnEntry: flag('stopOnEntry', raw.stopOnEntry ?? false),
    ...(qmp ? { qmp } : {}),
    ...(inspect ? { inspect } : {}),
    ...(program ? { program } : {}),
    ...(symbols ? { symbols } : {}),
  };
}

function address(name: string, value: unknown): StubAddress | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const parsed = typeof value === 'string' ? parseStubAddress(value) : undefined;
  if (!parsed) throw wrongAttribute(name, `must be ${STUB_ADDRESSES}, not ${quoted(value)}`);
  return parsed;
}
