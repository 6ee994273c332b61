/** The one table of all packets. What `qSupported` announces is read off it, so it cannot drift from what exists. */
import type { PacketHandler } from './packet.ts';
import { breakpointPackets } from './packets/breakpoints.ts';
import { documentPackets } from './packets/documents.ts';
import { memoryPackets } from './packets/memory.ts';
import { memoryRegionPackets } from './packets/memory-region.ts';
import { monitorPackets } from './packets/monitor.ts';
import { qemuPackets } from './packets/qemu.ts';
import { registerPackets } from './packets/registers.ts';
import { resumePackets } from './packets/resume.ts';
import { sessionPackets } from './packets/session.ts';
import { threadPackets } from './packets/threads.ts';

const all: readonly PacketHandler[] = [
  ...sessionPackets(() => features),
  ...registerPackets,
  ...memoryPackets,
  ...memoryRegionPackets,
  ...qemuPackets,
  ...breakpointPackets,
  ...resumePackets,
  ...threadPackets,
  ...documentPackets,
  ...monitorPackets,
];

const features: readonly string[] = all.flatMap(({ feature }) => feature ?? []);

/** Handlers by packet name; a name that is missing is answered with the empty packet. */
export const handlers: ReadonlyMap<string, PacketHandler> = new Map(all.map((handler) => [handler.name, handler]));
