/** What a Linux guest says of itself, in its own memory. */

import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { identify } from '../linux/address/identify.ts';
import { readIrqs } from '../linux/irqs.ts';
import { logLine, readLog } from '../linux/kernel-log.ts';
import { orNothing } from '../linux/linux-error.ts';
import { currentTask } from '../linux/tasks.ts';
import { readTimers } from '../linux/timers.ts';
import { addressValue } from './address-value.ts';
import type { Area } from './area.ts';
import { address, text } from './arguments.ts';
import { linuxKernel } from './state/linux-kernel.ts';
import { taskStack } from './state/tasks-part.ts';
import { writeVmcore } from './write-vmcore.ts';

export const linux: Area = {
  capabilities: {},
  handlers: {
    'ringside/kernelLog': async (session) => {
      const { items, problem } = await readLog(await linuxKernel(session.guest, session.stopped));
      return {
        text: items.map((record) => `${logLine(record)}\n`).join(''),
        ...(problem === undefined ? {} : { problem }),
      };
    },

    'ringside/taskStack': async (session, args) => ({
      frames: await taskStack(session.guest, session.stopped, address('address', args.address)),
    }),

    'ringside/linuxIrqs': async (session) => {
      const kernel = await linuxKernel(session.guest, session.stopped);
      const { items, ...rest } = await readIrqs(kernel);
      const irqs = items.map(({ actions, ...irq }) => ({
        ...irq,
        actions: actions.map(({ name, handler }) => ({ name, handler: hex(handler), symbol: kernel.nameOf(handler) })),
      }));
      return { irqs, ...rest };
    },

    'ringside/linuxTimers': async (session) => {
      const kernel = await linuxKernel(session.guest, session.stopped);
      const { items, ...rest } = await readTimers(kernel);
      const timers = items.map((timer) => ({
        ...timer,
        address: hex(timer.address),
        function: hex(timer.function),
        symbol: kernel.nameOf(timer.function),
        expires: String(timer.expires),
      }));
      return { timers, ...rest };
    },

    'ringside/whatIs': async (session, args) => {
      const { thread } = await session.stoppedThread(args.threadId);
      const at = await addressValue(session, thread, 'address', args.address);
      const kernel = await linuxKernel(session.guest, session.stopped);
      const current = await orNothing(() => currentTask(kernel, thread - 1));
      return { address: hex(at), lines: await identify(kernel, at, current) };
    },

    'ringside/writeVmcore': async (session, args) => ({
      size: await writeVmcore(session.guest, session.stopped, text('path', args.path, 4096)),
    }),
  },
};
