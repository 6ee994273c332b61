/** The Registers view: every system and general register with its bits decoded, and the MSRs. */
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import { fieldValue, registerBits } from '../../../hypervisor-core/protocol/register-bits.ts';
import { registersByName } from '../../../hypervisor-core/protocol/target-description.ts';
import type { RegisterField, RegisterGroup, RegisterValue } from '../../protocol/custom.ts';
import type { Frame } from '../../symbols/api.ts';
import { groupOf, REGISTER_GROUPS } from '../register-groups.ts';
import { fromLittleEndian, GENERAL, type StopState } from '../stop-state.ts';
import { symbolName } from './symbol-name.ts';

/** The groups that a stub's registers make up; nothing but the register file is fetched. */
export async function registerGroups(state: StopState, thread: number): Promise<readonly RegisterGroup[]> {
  const values = await state.registers(thread);
  return REGISTER_GROUPS.map((name) => ({
    name,
    registers: state.target.registers
      .filter((register) => groupOf(register) === name)
      .flatMap(({ name: register, bits }) => {
        const bytes = values.get(register);
        return bytes ? [describe(state, register, bits, fromLittleEndian(bytes))] : [];
      }),
  })).filter(({ registers }) => registers.length > 0);
}

/**
 * The same, what only a monitor tells, and the MSRs where the target is our own core. The general registers are those of
 * `frame` as far as they are known there; all others are the vCPU's in every frame.
 */
export async function registersPart(
  state: StopState,
  thread: number,
  frame?: Frame,
): Promise<readonly RegisterGroup[]> {
  const own = await withSystemRegisters(state, thread, await registerGroups(state, thread));
  const groups = frame && frame.index > 0 ? own.map((group) => inFrame(state, group, frame)) : own;
  const msrs = await state.target.inspect?.sendRequest(inspect.msrs, { vcpu: thread - 1 });
  if (!msrs || msrs.length === 0) return groups;
  const registers = msrs.map(({ name, value }) => describe(state, name, 64, BigInt(value)));
  return [...groups, { name: 'MSRs', registers }];
}

async function withSystemRegisters(state: StopState, thread: number, groups: readonly RegisterGroup[]) {
  const known = new Set(state.target.registers.map(({ name }) => name));
  const others = [...(await state.target.systemRegisters(thread))].filter(([name]) => !known.has(name));
  if (others.length === 0) return groups;
  const bits = (name: string) => registersByName.get(name)?.bits ?? 64;
  return REGISTER_GROUPS.map((title) => ({
    name: title,
    registers: [
      ...(groups.find(({ name }) => name === title)?.registers ?? []),
      ...others
        .filter(([name]) => groupOf({ name, bits: bits(name), group: 'system' }) === title)
        .map(([name, value]) => ({ ...describe(state, name, bits(name), value), writable: false })),
    ],
  })).filter(({ registers }) => registers.length > 0);
}

function inFrame(state: StopState, group: RegisterGroup, { registers, found }: Frame): RegisterGroup {
  const known = group.registers.flatMap((register): RegisterValue[] => {
    if (!GENERAL.has(register.name)) return [register];
    const value = registers.get(register.name);
    if (value === undefined) return [];
    // A frame that shares the vCPU's registers is an inlined one; others' are where their callees have saved them.
    return [{ ...describe(state, register.name, register.bits, value), writable: found === 'registers' }];
  });
  const names = new Set(known.map(({ name }) => name));
  const lost = group.registers.map(({ name }) => name).filter((name) => !names.has(name));
  return { ...group, registers: known, ...(lost.length > 0 && { lost }) };
}

function describe(state: StopState, name: string, bits: number, value: bigint): RegisterValue {
  const fields = (registerBits.get(name.toLowerCase()) ?? []).map(
    (field): RegisterField => ({
      name: field.name,
      description: field.description,
      high: field.high,
      low: field.low,
      value: Number(fieldValue(value, field)),
    }),
  );
  const symbol = bits === 64 ? symbolName(state.symbols, value) : undefined;
  return {
    name,
    bits,
    // A vector register has more bits than an address.
    value: bits > 64 ? `0x${value.toString(16)}` : hex(value),
    ...(fields.length > 0 ? { fields } : {}),
    ...(symbol === undefined ? {} : { symbol }),
    writable: bits <= 64,
  };
}
