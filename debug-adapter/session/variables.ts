/** Scopes and what is in them. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Child, Value, ValueFormat, ValueText } from '../expressions/api.ts';
import type { Area } from './area.ts';
import { optionalInteger, text } from './arguments.ts';
import { noSuchVariable, staleReference } from './errors.ts';
import { groupOf, REGISTER_GROUPS, registerText } from './register-groups.ts';
import type { FramePlace, Session, ShownFrame } from './session.ts';
import { fromLittleEndian } from './stop-state.ts';
import type { Reference } from './variable-references.ts';
import { assign } from './writes.ts';

/** Children given at once when the client does not ask for a part. */
const MOST_CHILDREN = 4096;

export const variables: Area = {
  capabilities: {
    supportsSetVariable: true,
    supportsValueFormattingOptions: true,
  },
  handlers: {
    scopes: async (session, args) => {
      const shown = await session.frame(args.frameId);
      const place = { thread: shown.thread, index: shown.index };
      const declared = variablesOf(shown);
      const scope = (name: string, which: 'argument' | 'local', hint: 'arguments' | 'locals') => ({
        name,
        presentationHint: hint,
        variablesReference: session.references.add({ kind: 'variables', which, place }),
        namedVariables: declared.filter(({ kind }) => (kind === 'argument') === (which === 'argument')).length,
        expensive: false,
      });
      const named = declared.length > 0 || shown.frame.function !== undefined;
      return {
        scopes: [
          ...(named ? [scope('Locals', 'local', 'locals'), scope('Arguments', 'argument', 'arguments')] : []),
          {
            name: 'Registers',
            presentationHint: 'registers',
            variablesReference: session.references.add({ kind: 'registers', group: 'General', place }),
            expensive: false,
          },
        ],
      };
    },

    variables: async (session, args) => {
      const reference = lookUp(session, args.variablesReference);
      const start = optionalInteger('start', args.start, 0, Number.MAX_SAFE_INTEGER, 0);
      const count = optionalInteger('count', args.count, 0, Number.MAX_SAFE_INTEGER, 0) || MOST_CHILDREN;
      const shown = await session.frameAt(reference.place);
      if (reference.kind === 'registers')
        return { variables: await registerVariables(session, shown, reference.group) };
      const children = await childrenOf(session, shown, reference, start, Math.min(count, MOST_CHILDREN));
      const format = valueFormat(args.format);
      return { variables: await Promise.all(children.map((child) => describeChild(session, shown, child, format))) };
    },

    setVariable: async (session, args) => {
      const reference = lookUp(session, args.variablesReference);
      const name = text('name', args.name);
      const source = text('value', args.value);
      const shown = await session.frameAt(reference.place);
      const value = await childNamed(session, shown, reference, name);
      const now = await assign(session, shown, value, source);
      const described = await describeValue(session, shown, now, valueFormat(args.format));
      return { ...described, value: described.result };
    },
  },
};

export const valueFormat = (format: DebugProtocol.ValueFormat | undefined): ValueFormat => ({
  radix: format?.hex === true ? 'hex' : 'natural',
});

function lookUp(session: Session, handle: unknown): Reference {
  // A running guest makes every reference stale; say the more useful thing.
  void session.stopped;
  const reference = session.references.get(handle);
  if (!reference) throw staleReference('variable');
  return reference;
}

/** Arguments and locals in scope, inner scopes first; a name hidden by an inner one is left out. */
export function variablesOf({ frame, context }: ShownFrame) {
  const all = context.symbols?.variablesAt(frame.pc, frame.level) ?? [];
  const seen = new Set<string>();
  return all.filter(({ name }) => !seen.has(name) && seen.add(name));
}

async function childrenOf(
  session: Session,
  shown: ShownFrame,
  reference: Exclude<Reference, { kind: 'registers' }>,
  start: number,
  count: number,
): Promise<readonly Child[]> {
  if (reference.kind === 'value') return session.expressions.children(reference.value, shown.context, start, count);
  const wanted = variablesOf(shown)
    .filter(({ kind }) => (kind === 'argument') === (reference.which === 'argument'))
    .slice(start, start + count);
  return Promise.all(
    wanted.map(async (variable) => ({
      name: variable.name,
      value: {
        type: variable.type,
        place: (await context(shown)
          .locate(variable, shown.frame)
          .catch(() => undefined)) ?? {
          kind: 'optimized-out' as const,
        },
        expression: variable.name,
      },
    })),
  );
}

function context({ context: { symbols } }: ShownFrame) {
  if (!symbols) throw staleReference('variable');
  return symbols;
}

/** The value that a client means by a name below a reference, or by an expression, and its size in bytes. */
export async function valueNamed(
  session: Session,
  where: { readonly variablesReference?: number; readonly frameId?: number },
  name: string,
): Promise<{ value: Value; size: number }> {
  if (!where.variablesReference) {
    const { context } = await session.frame(where.frameId);
    const value = await session.expressions.evaluate(name, context);
    return { value, size: session.expressions.sizeOf(value.type) ?? 0 };
  }
  const reference = lookUp(session, where.variablesReference);
  const value = await childNamed(session, await session.frameAt(reference.place), reference, name);
  return { value, size: session.expressions.sizeOf(value.type) ?? 0 };
}

/** Finds what `setVariable` names: a register, a variable, or a member or element of a value. */
async function childNamed(session: Session, shown: ShownFrame, reference: Reference, name: string): Promise<Value> {
  if (reference.kind === 'registers') return session.expressions.evaluate(`$${name}`, shown.context);
  const element = reference.kind === 'value' && reference.indexed ? /^\[(\d{1,10})\]$/.exec(name)?.[1] : undefined;
  const start = element === undefined ? 0 : Number(element);
  const children = await childrenOf(session, shown, reference, start, element === undefined ? MOST_CHILDREN : 1);
  const found = children.find((child) => child.name === name);
  if (!found) throw noSuchVariable(name);
  return found.value;
}

async function describeChild(
  session: Session,
  shown: ShownFrame,
  { name, value }: Child,
  format: ValueFormat,
): Promise<DebugProtocol.Variable> {
  const { result, ...described } = await describeValue(session, shown, value, format);
  return {
    name,
    value: result,
    ...described,
    ...(value.expression === '' ? {} : { evaluateName: value.expression }),
  };
}

/** A value as `evaluate` answers it; what cannot be read becomes its text. */
export async function describeValue(session: Session, shown: ShownFrame, value: Value, format: ValueFormat) {
  const described = await session.expressions.format(value, shown.context, format).catch(
    (error: Error): ValueText => ({
      text: `<${error.message}>`,
      type: session.expressions.typeName(value.type),
      children: 0,
      indexed: false,
      writable: false,
    }),
  );
  const place: FramePlace = { thread: shown.thread, index: shown.index };
  const { children, indexed } = described;
  return {
    result: described.text,
    type: described.type,
    variablesReference: children > 0 ? session.references.add({ kind: 'value', value, children, indexed, place }) : 0,
    ...(children > 0 ? { [indexed ? 'indexedVariables' : 'namedVariables']: children } : {}),
    ...(described.memory === undefined ? {} : { memoryReference: hex(described.memory) }),
    ...(described.writable ? {} : { presentationHint: { attributes: ['readOnly'] } }),
  };
}

async function registerVariables(
  session: Session,
  { thread, index, frame, context: evaluation }: ShownFrame,
  group: string,
): Promise<DebugProtocol.Variable[]> {
  const { registers } = session.guest.target;
  const shown = await Promise.all(
    registers
      .filter((register) => groupOf(register) === group)
      .map(async (register) => {
        const bytes = await evaluation.readRegister(register.name);
        const value = bytes && fromLittleEndian(bytes);
        return {
          name: register.name,
          value: value === undefined ? '<not saved by the callee>' : registerText(register, value),
          evaluateName: `$${register.name}`,
          variablesReference: 0,
          ...(value !== undefined && register.name === 'rip' ? { memoryReference: hex(frame.address) } : {}),
        };
      }),
  );
  if (group !== 'General') return shown;
  const others = REGISTER_GROUPS.filter(
    (title) => title !== 'General' && registers.some((one) => groupOf(one) === title),
  );
  return [
    ...shown,
    ...others.map((title) => ({
      name: title,
      value: '',
      variablesReference: session.references.add({ kind: 'registers', group: title, place: { thread, index } }),
      presentationHint: { attributes: ['readOnly'] },
    })),
  ];
}
