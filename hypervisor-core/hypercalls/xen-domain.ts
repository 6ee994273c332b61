/**
 * What Xen keeps of a domain, in shared memory: where its shared-info page and vCPU-info areas are, its event channels and
 * its parameters. Offsets of the guest's structures are those of xen/include/public/xen.h.
 */
import type { Platform } from './abi.ts';

/** Event channels of a domain: all that a 32-bit guest can have. */
export const MOST_PORTS = 1024;
const MOST_VCPUS = 64;
const MOST_PARAMETERS = 64;

const AT = {
  sharedInfo: 0,
  /** Bytes of a long in the guest's shared-info page. */
  wordBytes: 8,
  vcpus: 16,
  parameters: 16 + MOST_VCPUS * 16,
  ports: 16 + MOST_VCPUS * 16 + MOST_PARAMETERS * 8,
};
const VCPU = { info: 0, vector: 8, bytes: 16 };
const PORT = { state: 0, vcpu: 1, detail: 4, bytes: 8 };

/** struct shared_info by the bytes of a long: bitmaps of pending and masked channels. */
const SHARED_INFO = { 4: { pending: 0x800, mask: 0x880 }, 8: { pending: 0x800, mask: 0xa00 } } as const;
/** struct vcpu_info, which is as long in both; the selector is an array of longs in shared_info. */
const VCPU_INFO = { upcallPending: 0, bytes: 64 } as const;
const SELECTOR = { 4: 4, 8: 8 } as const;
/** vCPUs that have their info in the shared-info page. */
const LEGACY_VCPUS = 32;

export const PORT_STATE = { closed: 0, unbound: 1, interdomain: 2, virq: 4, ipi: 5 } as const;

export class XenDomain {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Guest-physical address of the shared-info page; 0 before there is one. */
  get sharedInfo(): bigint {
    return this.#platform.state.getBigUint64(AT.sharedInfo, true);
  }

  /** Puts the page at `gpa`, with what it held where it was. */
  mapSharedInfo(gpa: bigint, wordBytes: 4 | 8): boolean {
    const { memory, state } = this.#platform;
    const PAGE = 4096;
    const before = this.sharedInfo === 0n ? new Uint8Array(PAGE) : memory.readPhysical(this.sharedInfo, PAGE);
    if (memory.writePhysical(gpa, before) !== PAGE) return false;
    state.setBigUint64(AT.sharedInfo, gpa, true);
    state.setUint8(AT.wordBytes, wordBytes);
    return true;
  }

  /** Moves a vCPU's info to `gpa`; false when it has been moved already or is not in RAM. */
  registerVcpuInfo(vcpu: number, gpa: bigint): boolean {
    const at = AT.vcpus + vcpu * VCPU.bytes + VCPU.info;
    const { memory, state } = this.#platform;
    if (state.getBigUint64(at, true) !== 0n) return false;
    const from = this.#vcpuInfo(vcpu);
    const before = from === undefined ? new Uint8Array(VCPU_INFO.bytes) : memory.readPhysical(from, VCPU_INFO.bytes);
    if (memory.writePhysical(gpa, before) !== VCPU_INFO.bytes) return false;
    state.setBigUint64(at, gpa, true);
    return true;
  }

  /** The vector by which a vCPU is told of events; 0 for none. */
  setUpcallVector(vcpu: number, vector: number): void {
    this.#platform.state.setUint8(AT.vcpus + vcpu * VCPU.bytes + VCPU.vector, vector);
  }

  /** HVM_PARAM_...; undefined when there is no such parameter. */
  parameter(index: number): bigint | undefined {
    return index < MOST_PARAMETERS ? this.#platform.state.getBigUint64(AT.parameters + index * 8, true) : undefined;
  }

  setParameter(index: number, value: bigint): boolean {
    if (index >= MOST_PARAMETERS) return false;
    this.#platform.state.setBigUint64(AT.parameters + index * 8, value, true);
    return true;
  }

  /** A port as it is; undefined when there is no such port. Port 0 is never used. */
  port(port: number): { readonly state: number; readonly vcpu: number; readonly detail: number } | undefined {
    if (port < 1 || port >= MOST_PORTS) return undefined;
    const { state } = this.#platform;
    const at = AT.ports + port * PORT.bytes;
    return {
      state: state.getUint8(at + PORT.state),
      vcpu: state.getUint8(at + PORT.vcpu),
      detail: state.getUint32(at + PORT.detail, true),
    };
  }

  /** Takes a closed port into use and gives its number; undefined when all are taken. */
  allocate(kind: number, vcpu: number, detail: number): number | undefined {
    for (let port = 1; port < MOST_PORTS; port++) {
      if (this.port(port)?.state !== PORT_STATE.closed) continue;
      this.setPort(port, kind, vcpu, detail);
      return port;
    }
    return undefined;
  }

  setPort(port: number, kind: number, vcpu: number, detail: number): void {
    const { state } = this.#platform;
    const at = AT.ports + port * PORT.bytes;
    state.setUint8(at + PORT.state, kind);
    state.setUint8(at + PORT.vcpu, vcpu);
    state.setUint32(at + PORT.detail, detail, true);
  }

  close(port: number): void {
    this.setPort(port, PORT_STATE.closed, 0, 0);
    this.#change('pending', port, false);
  }

  /** Marks an event pending and, unless it is masked, tells the vCPU that the port is bound to. */
  raise(port: number): void {
    if (this.#change('pending', port, true) !== false) return;
    if (this.#test('mask', port) === false) this.#tell(port);
  }

  unmask(port: number): void {
    if (this.#change('mask', port, false) === true && this.#test('pending', port) === true) this.#tell(port);
  }

  #tell(port: number): void {
    const { memory, state } = this.#platform;
    const vcpu = this.port(port)?.vcpu ?? 0;
    const info = this.#vcpuInfo(vcpu);
    if (info === undefined) return;
    const selector = Math.floor(port / (this.#wordBytes * 8));
    const selectorAt = info + BigInt(SELECTOR[this.#wordBytes] + Math.floor(selector / 8));
    const selected = 1 << (selector % 8);
    const before = memory.changeBits(selectorAt, selected, true);
    if (before === undefined || (before & selected) !== 0) return;
    if (memory.changeBits(info + BigInt(VCPU_INFO.upcallPending), 1, true) !== 0) return;
    const vector = state.getUint8(AT.vcpus + vcpu * VCPU.bytes + VCPU.vector);
    if (vector !== 0) this.#platform.interrupt(vcpu, vector);
  }

  get #wordBytes(): 4 | 8 {
    return this.#platform.state.getUint8(AT.wordBytes) === 4 ? 4 : 8;
  }

  #vcpuInfo(vcpu: number): bigint | undefined {
    const moved = this.#platform.state.getBigUint64(AT.vcpus + vcpu * VCPU.bytes + VCPU.info, true);
    if (moved !== 0n) return moved;
    if (this.sharedInfo === 0n || vcpu >= LEGACY_VCPUS) return undefined;
    return this.sharedInfo + BigInt(vcpu * VCPU_INFO.bytes);
  }

  #place(bitmap: 'pending' | 'mask', port: number): bigint {
    return this.sharedInfo + BigInt(SHARED_INFO[this.#wordBytes][bitmap] + Math.floor(port / 8));
  }

  /** Whether the bit was set before; undefined when there is no shared-info page. */
  #change(bitmap: 'pending' | 'mask', port: number, on: boolean): boolean | undefined {
    if (this.sharedInfo === 0n) return undefined;
    const bit = 1 << (port % 8);
    const before = this.#platform.memory.changeBits(this.#place(bitmap, port), bit, on);
    return before === undefined ? undefined : (before & bit) !== 0;
  }

  #test(bitmap: 'pending' | 'mask', port: number): boolean | undefined {
    const [byte] = this.#platform.memory.readPhysical(this.#place(bitmap, port), 1);
    return byte === undefined ? undefined : (byte & (1 << (port % 8))) !== 0;
  }
}
