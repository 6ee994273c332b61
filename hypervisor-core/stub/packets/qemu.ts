/**
 * QEMU's own packets: whether memory packets mean guest-physical addresses, and what happens during a single step. QEMU answers what asks
 * for steps in small and in capital letters; gef and pwndbg find out by `Qqemu.sstepbits` whether they have a QEMU before them.
 */
import { parseNumber } from '../../protocol/rsp.ts';
import { ErrorCode, malformed, PacketError, type PacketHandler } from '../packet.ts';

/** Bits of `sstep`, by QEMU's numbers. The guest's time stands still with the guest, so NOTIMER changes nothing. */
export const SSTEP = { ENABLE: 1, NOIRQ: 2, NOTIMER: 4 } as const;

const supported: PacketHandler = { name: 'qqemu.Supported', handle: () => 'sstepbits;sstep;PhyMemMode' };

const stepBits: readonly PacketHandler[] = ['qqemu.sstepbits', 'Qqemu.sstepbits'].map((name) => ({
  name,
  handle: () =>
    Object.entries(SSTEP)
      .map(([flag, bit]) => `${flag}=${bit}`)
      .join(','),
}));

const step: readonly PacketHandler[] = ['qqemu.sstep', 'Qqemu.sstep'].map((name) => ({
  name,
  handle(client, rest) {
    if (rest === '') return `0x${client.stepFlags.toString(16)}`;
    const flags = Number(parseNumber(rest.slice(1)) ?? -1n);
    const all = SSTEP.ENABLE | SSTEP.NOIRQ | SSTEP.NOTIMER;
    if (rest[0] !== '=' || flags < 0) throw malformed(name);
    if ((flags & ~all) !== 0) throw new PacketError(ErrorCode.invalid, `there are no sstep bits but 0x${all}`);
    client.stepFlags = flags;
    return 'OK';
  },
}));

const setPhysical: PacketHandler = {
  name: 'Qqemu.PhyMemMode',
  handle(client, rest) {
    if (rest !== ':0' && rest !== ':1') throw malformed('Qqemu.PhyMemMode');
    client.physicalMemory = rest === ':1';
    return 'OK';
  },
};

const askPhysical: PacketHandler = {
  name: 'qqemu.PhyMemMode',
  handle: (client) => (client.physicalMemory ? '1' : '0'),
};

export const qemuPackets: readonly PacketHandler[] = [supported, ...stepBits, ...step, setPhysical, askPhysical];
