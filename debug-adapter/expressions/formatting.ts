/** Values as the session shows them, and their children. */
import type { Type } from '../symbols/api.ts';
import type { Child, EvaluationContext, Value, ValueFormat, ValueText } from './api.ts';
import { decodeScalar } from './scalars.ts';
import { partOf, readValue, UnavailableError } from './storage.ts';
import { type Content, Summary, type SummaryLimits } from './summary.ts';
import { typeName } from './type-name.ts';
import { isAggregate, membersOf, type PlainType, sizeOf, strip } from './types.ts';

/** What a summary looks at of a large value. */
const MAX_SUMMARY_BYTES = 4096;
/** DAP counts are 32-bit. */
const MAX_CHILDREN = 0x7fffffff;
/** Answered at once; the client asks again for more. */
const MAX_PAGE = 4096;

export async function formatValue(
  value: Value,
  context: EvaluationContext,
  format: ValueFormat,
  limits: SummaryLimits,
): Promise<ValueText> {
  const { place, type } = value;
  const plain = strip(type);
  const own = place.kind === 'memory' ? { memory: place.address } : {};
  const leaf = {
    type: typeName(type),
    children: 0,
    indexed: false,
    writable: isWritable(value, plain, context),
    ...own,
  };
  let content: Content;
  try {
    content = await contentOf(value, context);
  } catch (error) {
    if (error instanceof UnavailableError) return { ...leaf, text: `<${error.reason}>` };
    throw error;
  }
  if (content.bytes.length === 0 && (sizeOf(type) ?? 0) > 0) return { ...leaf, text: '<not mapped>' };
  const text = await new Summary(context, format.radix, limits).text(type, content);
  if (plain.kind === 'pointer' && sizeOf(plain) !== undefined && content.bytes.length >= plain.size) {
    const address = decodeScalar(content.bytes, plain) as bigint;
    const children = address === 0n ? 0 : pointeeChildren(plain.target);
    return { ...leaf, text, children, memory: address };
  }
  const children = Math.min(childCount(plain), MAX_CHILDREN);
  return { ...leaf, text, children, indexed: plain.kind === 'array' };
}

/** Reads what a summary needs of the value, and no more. */
async function contentOf(value: Value, context: EvaluationContext): Promise<Content> {
  const { place, type, bits } = value;
  const plain = strip(type);
  if (plain.kind === 'void' || plain.kind === 'function') {
    return { bytes: new Uint8Array(0), partial: false, ...(place.kind === 'memory' && { address: place.address }) };
  }
  const size = sizeOf(type) ?? 0;
  if (place.kind === 'memory' && !bits) {
    const wanted = Math.min(size, MAX_SUMMARY_BYTES);
    const bytes = wanted > 0 ? await context.readMemory(place.address, wanted) : new Uint8Array(0);
    return { bytes, partial: bytes.length === wanted, address: place.address };
  }
  const bytes = await readValue(value, context, 0);
  return { bytes, partial: false, ...(bits && { bits: { offset: 0, size: bits.size } }) };
}

function isWritable({ place }: Value, plain: PlainType, { frame }: EvaluationContext): boolean {
  if (plain.kind === 'void' || plain.kind === 'function' || plain.kind === 'array') return false;
  if (place.kind === 'memory') return true;
  return place.kind === 'register' && (frame.index === 0 || frame.found === 'registers');
}

function childCount(plain: PlainType): number {
  if (isAggregate(plain)) return membersOf(plain).length;
  return plain.kind === 'array' ? (plain.count ?? 0) : 0;
}

/** A pointer to a struct has the struct's members for children, any other the one thing it points to. */
function pointeeChildren(target: Type): number {
  const plain = strip(target);
  if (isAggregate(plain)) return membersOf(plain).length;
  return plain.kind === 'void' || plain.kind === 'function' || sizeOf(plain) === undefined ? 0 : 1;
}

/** The children from `start` on, at most a page of them; none throws for memory that is not mapped. */
export async function childrenOf(
  value: Value,
  context: EvaluationContext,
  start: number,
  count: number,
): Promise<readonly Child[]> {
  const plain = strip(value.type);
  const first = Math.max(0, start);
  const last = first + Math.min(Math.max(0, count), MAX_PAGE);
  if (isAggregate(plain)) return memberChildren(value, plain, '.').slice(first, last);
  if (plain.kind === 'array') {
    const size = sizeOf(plain.element) ?? 0;
    const length = Math.max(0, Math.min(last, plain.count ?? 0) - first);
    return Array.from({ length }, (_, step) => {
      const index = first + step;
      const expression = extend(value.expression, `[${index}]`);
      return {
        name: `[${index}]`,
        value: { type: plain.element, ...partOf(value, index * size, size), expression },
      };
    });
  }
  if (plain.kind !== 'pointer' || pointeeChildren(plain.target) === 0) return [];
  return (await pointerChildren(value, plain.target, context)).slice(first, last);
}

function ifUnavailable(error: unknown): undefined {
  if (!(error instanceof UnavailableError)) throw error;
}

async function pointerChildren(value: Value, target: Type, context: EvaluationContext): Promise<readonly Child[]> {
  const bytes = await readValue(value, context, 0).catch(ifUnavailable);
  const address = bytes ? (decodeScalar(bytes, value.type) as bigint) : 0n;
  if (address === 0n) return [];
  const place = { kind: 'memory', address } as const;
  const plain = strip(target);
  if (isAggregate(plain)) return memberChildren({ ...value, type: target, place }, plain, '->');
  const expression = value.expression === '' ? '' : `*${primary(value.expression)}`;
  return [{ name: expression || '*', value: { type: target, place, expression } }];
}

function memberChildren(value: Value, plain: Extract<PlainType, { members: unknown }>, operator: '.' | '->'): Child[] {
  return membersOf(plain).map(({ name, type, offset, bits }) => {
    const expression = extend(value.expression, `${operator}${name}`);
    return { name, value: { type, ...partOf(value, offset, sizeOf(type) ?? 0, bits), expression } };
  });
}

const extend = (expression: string, suffix: string) => (expression === '' ? '' : primary(expression) + suffix);

const SUFFIXES = /^(?:(?:\.|->)[A-Za-z_]\w*|\[\w+\])*$/;

/** The expression in a form that takes a postfix operator: as it is where C allows that, else in parentheses. */
function primary(expression: string): string {
  const name = /^\$?[A-Za-z_]\w*/.exec(expression)?.[0] ?? groupAt(expression);
  const suffixes = name === undefined ? undefined : expression.slice(name.length);
  // Alone, a group could be a cast's type.
  const alone = name?.startsWith('(') && suffixes === '';
  return suffixes !== undefined && !alone && SUFFIXES.test(suffixes) ? expression : `(${expression})`;
}

/** The parenthesized group that the text starts with; undefined where quotes could hide a parenthesis. */
function groupAt(text: string): string | undefined {
  if (!text.startsWith('(') || /['"]/.test(text)) return undefined;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return text.slice(0, at + 1);
  }
  return undefined;
}
