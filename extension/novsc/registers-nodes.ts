/** Rows of the vCPU Registers view: pinned registers, groups, registers, decoded bits. */
import type { RegisterField, RegisterGroup, RegisterValue } from '../../debug-adapter/protocol/custom.ts';
import { vectorLanes, x87Number } from './lanes.ts';
import { type NumberFormat, registerNumber } from './register-numbers.ts';
import type { StateNode } from './state-node.ts';

interface Display {
  readonly format: NumberFormat;
  /** Names of the registers that are shown first. */
  readonly pinned: readonly string[];
  /** What the guest stops on, as lines of `monitor stop-on`: a control register's is its name. */
  readonly stops: readonly string[];
}

const plain: Display = { format: 'hexadecimal', pinned: [], stops: [] };
const STOPPABLE = /^cr[0348]$/;

export function registersNodes(groups: readonly RegisterGroup[], display: Display = plain): StateNode[] {
  const all = new Map(groups.flatMap(({ registers }) => registers).map((register) => [register.name, register]));
  const pinned = display.pinned.flatMap((name) => all.get(name) ?? []);
  return [
    ...(pinned.length > 0 ? [groupNode({ name: 'Pinned', registers: pinned }, display, true)] : []),
    ...groups.map((group, index) => groupNode(group, display, index === 0)),
  ];
}

function groupNode({ name, registers, lost = [] }: RegisterGroup, display: Display, expanded: boolean): StateNode {
  const id = `registers/${name}`;
  return {
    id,
    label: name,
    icon: 'symbol-namespace',
    expanded,
    children: [
      ...registers.map((register) => registerNode(id, register, display)),
      ...lost.map((register) => ({
        id: `${id}/${register}`,
        label: register,
        description: 'not saved by the functions that were called from here',
        icon: 'symbol-variable',
      })),
    ],
  };
}

function registerNode(parent: string, register: RegisterValue, { format, pinned, stops }: Display): StateNode {
  const id = `${parent}/${register.name}`;
  const fields = register.fields ?? [];
  const words = fields.map(fieldWord).filter((word) => word !== undefined);
  const number = register.bits === 80 ? x87Number(BigInt(register.value)) : undefined;
  const asked = stops.includes(register.name);
  const remarks = [
    asked ? 'stops before it is written' : undefined,
    register.symbol,
    number,
    words.length > 0 ? words.join(' ') : undefined,
  ].filter((remark) => remark);
  const shown = registerNumber(register.value, register.bits, format);
  return {
    id,
    label: register.name,
    description: [shown, ...remarks].join('  '),
    tooltip: [`${register.name} = ${register.value}`, decimal(register), register.symbol, ...fields.map(fieldLine)]
      .filter(Boolean)
      .join('\n'),
    icon: 'symbol-variable',
    value: register.value,
    copy: shown,
    pinned: pinned.includes(register.name),
    ...(STOPPABLE.test(register.name) ? { stopOn: { line: register.name, asked } } : {}),
    ...(register.writable ? { register: register.name } : {}),
    ...(register.symbol
      ? { address: register.value, code: true }
      : register.bits === 64
        ? { address: register.value }
        : {}),
    ...below(id, register),
  };
}

/** The decoded bits of a register, or the lanes of a vector. */
function below(id: string, { bits, value, fields = [] }: RegisterValue): Pick<StateNode, 'children'> {
  if (fields.length > 0) return { children: fields.map((field) => fieldNode(id, field)) };
  const lanes = vectorLanes(bits, BigInt(value));
  if (lanes.length === 0) return {};
  return {
    children: lanes.map(({ name, values }) => ({
      id: `${id}/${name}`,
      label: name,
      description: values.join('  '),
      tooltip: values.map((one, lane) => `[${lane}] ${one}`).join('\n'),
      icon: 'symbol-array',
      value: values.join(' '),
      copy: values.join(' '),
    })),
  };
}

function decimal(register: RegisterValue): string {
  const value = BigInt(register.value);
  const signed = BigInt.asIntN(register.bits, value);
  return signed === value ? `${value}` : `${value} (signed ${signed})`;
}

/** A set bit shows as its name, a field of several bits as name and value, a clear one not at all. */
function fieldWord(field: RegisterField): string | undefined {
  if (field.value === 0) return undefined;
  if (field.high === field.low) return field.name;
  return `${field.name}=${field.text ?? field.value}`;
}

const fieldBits = ({ high, low }: RegisterField) => (high === low ? `bit ${low}` : `bits ${high}:${low}`);
const fieldValue = ({ value, text }: RegisterField) => (text ? `${value} (${text})` : `${value}`);

/** A field where the whole register is pointed at. */
const fieldLine = (field: RegisterField) =>
  `${field.name} = ${fieldValue(field)}, ${fieldBits(field)}: ${field.description}`;

function fieldNode(parent: string, field: RegisterField): StateNode {
  return {
    id: `${parent}/${field.name}@${field.low}`,
    label: field.name,
    description: `${fieldValue(field)}  ${field.description}`,
    tooltip: `${field.name}, ${fieldBits(field)}: ${field.description}`,
    icon: field.value === 0 ? 'circle-large-outline' : 'circle-large-filled',
    value: `${field.value}`,
    copy: `${field.value}`,
  };
}
