/** What kvm_run says of the exit at hand, field by field and in halves of 32 bits, so that looking allocates nothing. */
import { KVM, OFFSET } from './abi.ts';

const at = OFFSET.kvm_run;
const RIP = at.s + OFFSET.kvm_sync_regs.regs + OFFSET.kvm_regs.rip;

export class ExitView {
  readonly #view: DataView;

  constructor(memory: SharedArrayBuffer, offset: number, bytes: number) {
    this.#view = new DataView(memory, offset, bytes);
  }

  get reason(): number {
    return this.#view.getUint32(at.exit_reason, true);
  }

  get ripLow(): number {
    return this.#view.getUint32(RIP, true);
  }

  get ripHigh(): number {
    return this.#view.getUint32(RIP + 4, true);
  }

  get port(): number {
    return this.#view.getUint16(at['io.port'], true);
  }

  get portIn(): boolean {
    return this.#view.getUint8(at['io.direction']) === KVM.EXIT_IO_IN;
  }

  get portSize(): number {
    return this.#view.getUint8(at['io.size']);
  }

  get portCount(): number {
    return this.#view.getUint32(at['io.count'], true);
  }

  /** The first item of a port access. */
  get portValue(): number {
    const data = this.#view.getUint32(at['io.data_offset'], true);
    const size = this.portSize;
    if (size === 1) return this.#view.getUint8(data);
    return size === 2 ? this.#view.getUint16(data, true) : this.#view.getUint32(data, true);
  }

  get mmioWrite(): boolean {
    return this.#view.getUint8(at['mmio.is_write']) !== 0;
  }

  get mmioSize(): number {
    return Math.min(8, this.#view.getUint32(at['mmio.len'], true));
  }

  get mmioLow(): number {
    return this.#view.getUint32(at['mmio.phys_addr'], true);
  }

  get mmioHigh(): number {
    return this.#view.getUint32(at['mmio.phys_addr'] + 4, true);
  }

  /** Bytes beyond the access are zero. */
  get mmioValueLow(): number {
    return this.#data(at['mmio.data'], Math.min(4, this.mmioSize));
  }

  get mmioValueHigh(): number {
    return this.#data(at['mmio.data'] + 4, Math.max(0, this.mmioSize - 4));
  }

  get msr(): number {
    return this.#view.getUint32(at['msr.index'], true);
  }

  get msrValueLow(): number {
    return this.#view.getUint32(at['msr.data'], true);
  }

  get msrValueHigh(): number {
    return this.#view.getUint32(at['msr.data'] + 4, true);
  }

  #data(from: number, bytes: number): number {
    let value = 0;
    for (let byte = 0; byte < bytes; byte++) value |= this.#view.getUint8(from + byte) << (8 * byte);
    return value >>> 0;
  }
}
