/** What a Linux guest says of itself, in its own memory. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { logLine, readLog } from '../linux/kernel-log.ts';
import { readModules } from '../linux/modules.ts';
import type { Area } from './area.ts';
import { address, optionalInteger, text } from './arguments.ts';
import { linuxKernel } from './state/linux-kernel.ts';
import { taskStack } from './state/tasks-part.ts';
import { writeVmcore } from './write-vmcore.ts';

const MOST_MODULES = 10_000;

export const linux: Area = {
  capabilities: { supportsModulesRequest: true },
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

    'ringside/writeVmcore': async (session, args) => ({
      size: await writeVmcore(session.guest, session.stopped, text('path', args.path, 4096)),
    }),

    modules: async (session, args) => {
      const { items } = await readModules(await linuxKernel(session.guest, session.stopped));
      const first = optionalInteger('startModule', args.startModule, 0, MOST_MODULES, 0);
      const count = optionalInteger('moduleCount', args.moduleCount, 0, MOST_MODULES, 0) || items.length;
      return {
        modules: items.slice(first, first + count).map(({ name, base, size }) => ({
          id: name,
          name,
          addressRange: `${hex(base)}-${hex(base + size)}`,
        })),
        totalModules: items.length,
      };
    },
  },
};
