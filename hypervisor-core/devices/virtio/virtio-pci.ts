/** Virtio over PCI (virtio 1.2, 4.1): the modern register layout in one memory BAR, with MSI-X or an INTx line. */
import { hex } from '../../protocol/hex.ts';
import type { DeviceRegister } from '../../protocol/inspect.ts';
import { Msix, msixCapability } from '../pci/msix.ts';
import { type PciCapability, type PciFunction, type PciRegisters, pciFunction } from '../pci/pci-function.ts';
import type { PciPlace } from '../pci/pci-layout.ts';
import type { VirtioDevice } from './virtio-device.ts';
import {
  BAR,
  BAR_BYTES,
  COMMON,
  DEVICE,
  ISR,
  msixOf,
  NOTIFY,
  NOTIFY_MULTIPLIER,
  PENDING,
  Registers,
  TABLE,
} from './virtio-registers.ts';
import { AT, msixState, ownStateAt, QUEUE, queueAt, resetState, vectorsOf } from './virtio-state.ts';

const VENDOR = 0x1af4;
const FIRST_DEVICE = 0x1040;
const VENDOR_SPECIFIC = 0x09;

/** The device as a PCI function: its interrupt line, and its BAR until the guest moves it, are those of `place`. */
export function virtioPci(device: VirtioDevice, place: PciPlace): PciFunction {
  const registers: PciRegisters = {
    bar: BAR,
    size: BAR_BYTES,
    stateBytes: ownStateAt(device) + (device.stateBytes ?? 0),
    reset(state) {
      resetState(state, device);
      Msix.reset(msixState(state, device), vectorsOf(device));
    },
    attach: (state, host, space) => new Registers(state, host, space, device, place.irq),
    describe: (state, space) => describe(state, space, device),
    messages: (state, space) => msixOf(state, space, device, silent).messages(),
  };
  const { configuration } = device;
  return pciFunction(device.name, {
    vendor: VENDOR,
    device: FIRST_DEVICE + device.deviceId,
    classCode: device.classCode,
    revision: 1,
    interruptLine: place.irq,
    capabilities: [
      msixCapability(vectorsOf(device), { bar: BAR, table: TABLE, pending: PENDING }),
      capability(COMMON),
      capability(ISR),
      ...(configuration ? [capability({ ...DEVICE, length: configuration.length })] : []),
      capability(NOTIFY, NOTIFY_MULTIPLIER),
    ],
    memory: { at: place.bar, registers },
  });
}

/** For who only looks. */
const silent = { signalMsi: () => false, now: () => 0 };

/** struct virtio_pci_cap. */
function capability({ type, offset, length }: typeof COMMON, multiplier?: number): PciCapability {
  const body = new DataView(new ArrayBuffer(multiplier === undefined ? 14 : 18));
  body.setUint8(0, body.byteLength + 2);
  body.setUint8(1, type);
  body.setUint8(2, BAR);
  body.setUint32(6, offset, true);
  body.setUint32(10, length, true);
  if (multiplier !== undefined) body.setUint32(14, multiplier, true);
  return { id: VENDOR_SPECIFIC, body: new Uint8Array(body.buffer) };
}

function describe(state: DataView, space: DataView, device: VirtioDevice): DeviceRegister[] {
  return [
    { name: 'device_status', value: hex(state.getUint8(AT.status)) },
    { name: 'ISR status', value: hex(state.getUint8(AT.isr)) },
    ...Array.from({ length: device.queues }, (_, queue) => {
      const at = queueAt(queue);
      const text = state.getUint16(at + QUEUE.enable, true)
        ? `${state.getUint16(at + QUEUE.finished, true)} chains finished`
        : 'off';
      return { name: `queue ${queue}`, value: hex(state.getUint16(at + QUEUE.size, true)), text };
    }),
    ...msixOf(state, space, device, silent).describe(),
  ];
}
