/** The `monitor` commands. Where QEMU has one of the same name, the text is laid out as QEMU's, for the scripts that read it. */
import { lapicText } from './lapic.ts';
import { memoryTree } from './memory-tree.ts';
import { type MonitorCommand, monitorNumber } from './monitor-command.ts';
import { msrCommands } from './msrs.ts';
import { memoryRanges, pages } from './page-tables.ts';
import { examine, hostAddress } from './physical.ts';
import { picText } from './pic.ts';
import { registersText } from './registers.ts';
import { snapshotCommands } from './snapshots.ts';
import { stopOn } from './stop-on.ts';

const help: MonitorCommand = {
  name: 'help',
  help: 'this list',
  run: () =>
    monitorCommands
      .map(
        ({ name, parameters, help: words }) => `${[name, parameters].filter(Boolean).join(' ').padEnd(24)} ${words}\n`,
      )
      .join(''),
};

const translate: MonitorCommand = {
  name: 'gva2gpa',
  parameters: 'ADDRESS',
  help: 'guest-physical address of a virtual one',
  run({ vcpu }, argument) {
    const address = monitorNumber(argument);
    if (address === undefined) return 'gva2gpa wants an address, e.g. gva2gpa 0x1000\n';
    const physical = vcpu.translate(address);
    return physical === undefined ? 'Unmapped\n' : `gpa: 0x${physical.toString(16)}\n`;
  },
};

const hypercalls: MonitorCommand = {
  name: 'info hypercalls',
  help: 'the last 20 hypercalls',
  run({ machine }) {
    const { total } = machine.hypercalls.read(0, 0);
    const { records } = machine.hypercalls.read(Math.max(0, total - 20), 20);
    const lines = records.map(
      (call) =>
        `${(call.time / 1e6).toFixed(6)} vCPU ${call.vcpu} ${call.rip} ${call.abi} ${call.name}(${call.arguments.map(({ name, value }) => `${name}=${value}`).join(', ')}) = ${call.result}\n`,
    );
    return `${total} hypercalls\n${lines.join('')}`;
  },
};

const registers: MonitorCommand = {
  name: 'info registers',
  parameters: '[-a]',
  help: 'registers of the selected vCPU, or of all',
  run: ({ vcpu, machine }, argument) => (argument === '-a' ? machine.vcpus : [vcpu]).map(registersText).join('\n'),
};

const lapic: MonitorCommand = {
  name: 'info lapic',
  help: 'local APIC of the selected vCPU',
  run: ({ vcpu }) => lapicText(vcpu.interrupts()),
};

const pic: MonitorCommand = {
  name: 'info pic',
  help: 'I/O APIC and both PICs',
  run: ({ vcpu }) => picText(vcpu.interrupts()),
};

export const monitorCommands: readonly MonitorCommand[] = [
  ...[help, registers, lapic, pic, memoryTree, memoryRanges, pages, hypercalls, translate, hostAddress, examine],
  ...snapshotCommands,
  ...msrCommands,
  stopOn,
];
