/** Makes a machine: host probe, RAM, chips, vCPUs with their workers, devices, kernel image, run control. */
import { version } from '../../package.json';
import { boot } from '../boot/boot.ts';
import type { AddressRange, BootFramebuffer, BootImage, BootRequest } from '../boot/boot-image.ts';
import { ACPI_TABLES, acpiTables } from '../devices/acpi/acpi-tables.ts';
import type { Disk } from '../devices/disk/disk.ts';
import { type DiskChoice, DiskError, openDisk } from '../devices/disk/open-disk.ts';
import { Kvm } from '../kvm/kvm.ts';
import type { CpuChanges } from '../protocol/cpu-features.ts';
import {
  FRAMEBUFFER_ADDRESS,
  formatResolution,
  framebufferBytes,
  isResolution,
  RESOLUTIONS,
  type Resolution,
  strideOf,
} from '../protocol/framebuffer.ts';
import type { HostReport, MachineInfo, Personality } from '../protocol/inspect.ts';
import type { Machine } from './api.ts';
import { openCallSites } from './call-sites.ts';
import { CpuFeatureError } from './cpuid.ts';
import { ramRanges } from './guest-ram.ts';
import { probeHost } from './host-probe.ts';
import { KvmMachine } from './kvm-machine.ts';
import { MachineHardware } from './machine-hardware.ts';
import { withBios } from './with-bios.ts';

export interface MachineOptions {
  /** A kernel file with what goes with it, or an image made already. */
  readonly boot: Omit<BootRequest, 'ram'> | { readonly name: string; readonly image: BootImage };
  /** Bytes of guest RAM, a multiple of 4096. */
  readonly memory: number;
  readonly cpus: number;
  /** Taken from the kernel's note when absent, else `none`. */
  readonly personality?: Personality;
  /** Changes to what CPUID says. */
  readonly cpu?: CpuChanges;
  /** Of the linear framebuffer; there is none when absent. */
  readonly framebuffer?: Resolution;
  /** Raw image of the disk. */
  readonly disk?: DiskChoice;
}

/** A machine cannot be made as asked. `option` is the one at fault, as `ringside run` and launch.json call it. */
export class MachineError extends Error {
  constructor(
    message: string,
    readonly option?: 'memory' | 'cpus' | 'cpu' | 'disk' | 'framebuffer' | 'host',
  ) {
    super(message);
    this.name = 'MachineError';
  }
}

const PAGE = 4096;
const LEAST_MEMORY = 1 << 20;
const MOST_CPUS = 64;

function check({ memory, cpus, framebuffer }: MachineOptions): void {
  if (!Number.isSafeInteger(memory) || memory % PAGE !== 0 || memory < LEAST_MEMORY) {
    throw new MachineError(
      `Guest memory must be at least 1 MiB and a multiple of 4 KiB, not ${memory} bytes.`,
      'memory',
    );
  }
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > MOST_CPUS) {
    throw new MachineError(`The number of vCPUs must be from 1 to ${MOST_CPUS}, not ${cpus}.`, 'cpus');
  }
  if (framebuffer && !isResolution(framebuffer)) {
    const given = formatResolution(framebuffer);
    throw new MachineError(`The framebuffer must be ${RESOLUTIONS}; not ${given}.`, 'framebuffer');
  }
}

function checkedHost(): HostReport {
  const host = probeHost();
  if (host.problem) throw new MachineError(`${host.problem.message} ${host.problem.remedy}`, 'host');
  return host;
}

function checkedDisk(choice: DiskChoice): Disk {
  try {
    return openDisk(choice);
  } catch (error) {
    throw error instanceof DiskError ? new MachineError(`${error.message}.`, 'disk') : error;
  }
}

const addressRanges = (memory: number): AddressRange[] =>
  ramRanges(memory).map(({ gpa, size }) => ({ start: BigInt(gpa), end: BigInt(gpa) + BigInt(size) }));

const bootFramebuffer = (resolution: Resolution): BootFramebuffer => ({
  ...resolution,
  address: BigInt(FRAMEBUFFER_ADDRESS),
  size: framebufferBytes(resolution),
  stride: strideOf(resolution),
});

function bootImage({ boot: request, memory, framebuffer }: MachineOptions): BootImage {
  if ('image' in request) return request.image;
  const whole = {
    ...{ rsdp: BigInt(ACPI_TABLES), ...request, ram: addressRanges(memory) },
    ...(framebuffer && { framebuffer: bootFramebuffer(framebuffer) }),
  };
  const image = boot(whole);
  return image.protocol === 'sector' ? withBios(image, whole) : image;
}

/** A kernel or firmware that is loaded where the tables would be gets none. */
function withAcpiTables(image: BootImage, cpus: number): BootImage {
  const gpa = BigInt(ACPI_TABLES);
  const bytes = acpiTables(cpus);
  const used = [
    ...image.zeroed,
    ...image.segments.map((segment) => ({ start: segment.gpa, end: segment.gpa + BigInt(segment.bytes.length) })),
  ];
  const taken = used.some(({ start, end }) => start < gpa + BigInt(bytes.length) && end > gpa);
  return taken ? image : { ...image, segments: [...image.segments, { gpa, bytes, name: 'ACPI tables' }] };
}

/**
 * Makes a machine that stands before its first instruction. Throws {@link MachineError} for options and hosts,
 * `BootError` for kernels, `SystemError` for what KVM refuses.
 */
export async function createMachine(options: MachineOptions): Promise<Machine> {
  check(options);
  const host = checkedHost();
  const { memory, cpus } = options;
  const booted = withAcpiTables(bootImage(options), cpus);
  const personality = options.personality ?? booted.personality ?? 'none';
  const byInstruction = personality === 'xen' || personality === 'kvm';
  const { image, sites } = byInstruction ? openCallSites(booted) : { image: booted, sites: 0 };
  const info: MachineInfo = {
    version,
    pid: process.pid,
    program: options.boot.name,
    bootProtocol: image.protocol,
    cpus,
    memory,
    personality,
    callSites: sites,
    host,
  };
  const kvm = new Kvm();
  let machine: KvmMachine;
  let disk: Disk | undefined;
  try {
    disk = options.disk && checkedDisk(options.disk);
    const { framebuffer, cpu: changes } = options;
    const wishes = { romSize: image.romSize ?? 0, framebuffer, diskSectors: disk?.sectors, changes };
    machine = new KvmMachine(new MachineHardware(kvm, info, image, wishes), image, disk);
  } catch (error) {
    disk?.close();
    throw error instanceof CpuFeatureError ? new MachineError(`${error.message}.`, 'cpu') : error;
  } finally {
    kvm.close();
  }
  try {
    await machine.ready;
  } catch (error) {
    await machine.close();
    throw error;
  }
  return machine;
}
