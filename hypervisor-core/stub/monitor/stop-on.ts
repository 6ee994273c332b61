/** `monitor stop-on`: what the guest stops on besides breakpoints. */
import { BreakpointError } from '../../machine/api.ts';
import { formatStopOn, parseStopOn } from '../../protocol/stop-on.ts';
import type { MonitorCommand } from './monitor-command.ts';

const USAGE = `stop-on port FIRST[-LAST] [read|write]
stop-on mmio START[-LAST] [read|write]
stop-on msr INDEX [read|write]
stop-on exception VECTOR
stop-on cr0|cr3|cr4|cr8       before it is written
stop-on hypercall [kvm|xen|hyperv] [NUMBER]
stop-on exit io|mmio|rdmsr|wrmsr
stop-on                     what is asked for
stop-on clear               nothing any more
`;

export const stopOn: MonitorCommand = {
  name: 'stop-on',
  parameters: '[WHAT|clear]',
  help: 'stop on port, mmio, msr, exception, control register, hypercall, exit',
  run({ machine, breakpoints: owner }, argument) {
    const now = machine.stopsOf(owner);
    if (argument === '') return now.length === 0 ? USAGE : now.map((stop) => `${formatStopOn(stop)}\n`).join('');
    const wanted = argument === 'clear' ? undefined : parseStopOn(argument);
    if (argument !== 'clear' && !wanted) return USAGE;
    try {
      machine.stopOn(owner, wanted ? [...now, wanted] : []);
      return '';
    } catch (error) {
      if (error instanceof BreakpointError) return `${error.message}\n`;
      throw error;
    }
  },
};
