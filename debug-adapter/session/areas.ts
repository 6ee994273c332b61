/** Every DAP area there is. */
import type { Area } from './area.ts';
import { breakpoints } from './breakpoints.ts';
import { completions } from './completions.ts';
import { consoleInput } from './console-output.ts';
import { dataBreakpoints } from './data-breakpoints.ts';
import { disassembly } from './disassembly.ts';
import { evaluate } from './evaluate.ts';
import { exceptions } from './exceptions.ts';
import { jumps } from './jumps.ts';
import { lifecycle } from './lifecycle.ts';
import { linux } from './linux.ts';
import { memory } from './memory.ts';
import { modules } from './modules.ts';
import { runControl } from './run-control.ts';
import { sources } from './sources.ts';
import { stacks } from './stacks.ts';
import { stateRequests } from './state-requests.ts';
import { variables } from './variables.ts';
import { xen } from './xen.ts';

export const areas: readonly Area[] = [
  lifecycle,
  breakpoints,
  dataBreakpoints,
  runControl,
  jumps,
  stacks,
  variables,
  evaluate,
  completions,
  disassembly,
  memory,
  sources,
  modules,
  exceptions,
  consoleInput,
  stateRequests,
  linux,
  xen,
];
