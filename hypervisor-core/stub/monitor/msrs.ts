/** `monitor rdmsr` and `monitor wrmsr`: the MSRs that this KVM keeps, of the selected vCPU. */
import { hex } from '../../protocol/hex.ts';
import type { MonitorCommand } from './monitor-command.ts';

const parse = (text = ''): bigint | undefined =>
  /^(0x[0-9a-fA-F]{1,16}|\d{1,19})$/.test(text) ? BigInt(text) : undefined;

export const msrCommands: readonly MonitorCommand[] = [
  {
    name: 'rdmsr',
    parameters: 'INDEX',
    help: 'value of an MSR of the selected vCPU',
    run({ vcpu }, argument) {
      const index = parse(argument);
      if (index === undefined) return 'rdmsr wants the number of an MSR, e.g. rdmsr 0xc0000080\n';
      const msr = vcpu.msrs().find((each) => BigInt(each.index) === index);
      return msr ? `${msr.name} (${hex(index)}) = ${msr.value}\n` : `KVM keeps no MSR ${hex(index)}\n`;
    },
  },
  {
    name: 'wrmsr',
    parameters: 'INDEX VALUE',
    help: 'sets an MSR of the selected vCPU',
    run({ vcpu }, argument) {
      const [first, second, ...more] = argument.split(' ');
      const [index, value] = [parse(first), parse(second)];
      if (
        index === undefined ||
        value === undefined ||
        more.length > 0 ||
        index > 0xffff_ffffn ||
        value >> 64n !== 0n
      ) {
        return 'wrmsr wants the number of an MSR and a value, e.g. wrmsr 0xc0000082 0x1000\n';
      }
      try {
        vcpu.writeMsr(Number(index), value);
        return '';
      } catch (error) {
        if (error instanceof RangeError) return `${error.message}\n`;
        throw error;
      }
    },
  },
];
