/** A boot sector on KVM, from its first instruction to its end. */
import { readFileSync } from 'node:fs';
import type { Machine } from '../../hypervisor-core/machine/api.ts';
import { createMachine } from '../../hypervisor-core/machine/machine.ts';
import type { GuestEnd } from '../../hypervisor-core/protocol/inspect.ts';

/** Lets the guest go, runs `body`, and closes the machine. `end` rejects when the guest stops instead. */
export async function withSector<Result>(
  path: string,
  memory: number,
  body: (machine: Machine, end: Promise<GuestEnd>) => Promise<Result>,
): Promise<Result> {
  const boot = { name: 'boot.img', file: readFileSync(path), commandLine: '' };
  const machine = await createMachine({ boot, memory, cpus: 1 });
  try {
    const end = new Promise<GuestEnd>((resolve, reject) => {
      machine.onState((state) => state.kind === 'ended' && resolve(state.end));
      machine.onStop(({ reason }) => reject(new Error(JSON.stringify(reason))));
    });
    machine.resume([{ vcpu: 0, action: { kind: 'continue' } }]);
    return await body(machine, end);
  } finally {
    await machine.close();
  }
}
