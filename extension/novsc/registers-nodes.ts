/** Rows of the vCPU Registers view: groups, registers, decoded bits. */
import type { RegisterField, RegisterGroup, RegisterValue } from '../../debug-adapter/protocol/custom.ts';
import { vectorLanes, x87Number } from './lanes.ts';
import type { StateNode } from './state-node.ts';

export function registersNodes(groups: readonly RegisterGroup[]): StateNode[] {
  return groups.map((group, index) => ({
    id: `registers/${group.name}`,
    label: group.name,
    icon: 'symbol-namespace',
    expanded: index === 0,
    children: group.registers.map((register) => registerNode(`registers/${group.name}`, register)),
  }));
}

function registerNode(parent: string, register: RegisterValue): StateNode {
  const id = `${parent}/${register.name}`;
  const fields = register.fields ?? [];
  const words = fields.map(fieldWord).filter((word) => word !== undefined);
  const number = register.bits === 80 ? x87Number(BigInt(register.value)) : undefined;
  const remarks = [register.symbol, number, words.length > 0 ? words.join(' ') : undefined].filter((remark) => remark);
  return {
    id,
    label: register.name,
    description: [register.value, ...remarks].join('  '),
    tooltip: [`${register.name} = ${register.value}`, decimal(register), register.symbol].filter(Boolean).join('\n'),
    icon: 'symbol-variable',
    value: register.value,
    copy: register.value,
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

function fieldNode(parent: string, field: RegisterField): StateNode {
  const bits = field.high === field.low ? `bit ${field.low}` : `bits ${field.high}:${field.low}`;
  const value = field.text ? `${field.value} (${field.text})` : `${field.value}`;
  return {
    id: `${parent}/${field.name}@${field.low}`,
    label: field.name,
    description: `${value}  ${field.description}`,
    tooltip: `${field.name}, ${bits}: ${field.description}`,
    icon: field.value === 0 ? 'circle-large-outline' : 'circle-large-filled',
    value: `${field.value}`,
    copy: `${field.value}`,
  };
}
