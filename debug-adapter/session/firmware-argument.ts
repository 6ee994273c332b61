/** The attribute `firmware`, and those that say how a kernel is booted, which do not go with it. */
import { stat } from 'node:fs/promises';
import { firmwareProblem } from '../../hypervisor-core/protocol/firmware.ts';
import type { LaunchAttributes } from '../protocol/custom.ts';
import { file, type Raw } from './attributes.ts';
import { wrongAttribute } from './errors.ts';

const OF_KERNELS = { args: '', initrd: '', modules: [], boot: 'auto' } as const;

/** The absolute path of the image; undefined when the attribute is left out. Throws a `UserError` for what is no firmware. */
export async function firmware(raw: Raw<LaunchAttributes>): Promise<string | undefined> {
  const path = await file('firmware', raw.firmware);
  if (path === undefined) return undefined;
  const problem = firmwareProblem((await stat(path)).size);
  if (problem) throw wrongAttribute('firmware', `names ${path}, which ${problem}`);
  const names = Object.keys(OF_KERNELS) as (keyof typeof OF_KERNELS)[];
  const given = names.find((name) => String(raw[name] ?? OF_KERNELS[name]) !== String(OF_KERNELS[name]));
  if (given) throw wrongAttribute(given, 'does not go with "firmware", which boots the "disk"');
  return path;
}
