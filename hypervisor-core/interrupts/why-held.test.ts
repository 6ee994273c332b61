/** What no small guest can be brought to: other vCPUs, NMIs, logical destinations. The rest is in test/core/held-interrupts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hex } from '../protocol/hex.ts';
import type { InterruptState, IoapicPin, LapicState, MsixVector, PicState } from '../protocol/inspect.ts';
import { waitingInterrupts } from './why-held.ts';

const lapic = (more: Partial<LapicState> = {}): LapicState => ({
  base: '0xfee00000',
  mode: 'xapic',
  softwareEnabled: true,
  id: 0,
  version: 0x14,
  tpr: 0,
  ppr: 0,
  ldr: 1,
  dfr: 0xffff_ffff,
  svr: 0x1ff,
  esr: 0,
  icr: '0x0',
  irr: [],
  isr: [],
  tmr: [],
  lvt: [],
  timer: { mode: 'one-shot', initialCount: 0, currentCount: 0, divide: 2 },
  ...more,
});

const pin = (more: Partial<IoapicPin> = {}): IoapicPin => ({
  pin: 4,
  raw: '0x0',
  vector: 0x24,
  delivery: 'fixed',
  destinationMode: 'physical',
  destination: 0,
  trigger: 'edge',
  polarity: 'high',
  masked: false,
  remoteIrr: false,
  pending: true,
  asserted: false,
  ...more,
});

const pic = (name: PicState['name'], more: Partial<PicState> = {}): PicState => ({
  name,
  irr: 0,
  isr: 0,
  imr: 0,
  vectorBase: name === 'master' ? 0x20 : 0x28,
  autoEoi: false,
  elcr: 0,
  highestPriority: 0,
  readsIsr: false,
  fullyNested: false,
  initialized: true,
  ...more,
});

const ready: InterruptState['pending'] = {
  interruptShadow: false,
  nmi: { pending: false, injected: false, masked: false },
  smi: { pending: false, inSmm: false },
  mpState: 'running',
};

const message = (more: Partial<MsixVector>): MsixVector => ({
  ...{ device: 'virtio-blk', index: 0, address: '0xfee00000', data: 0x41, masked: false, pending: false, sent: 1 },
  ...more,
});

const lost = (more: { readonly address?: Hex; readonly data?: number }) =>
  ({ time: 0, address: '0xfee00000', data: 0x41, taken: false, ...more }) as const;

/** The last link of the only interrupt that waits. */
function verdict(more: Partial<InterruptState>, lapics: readonly LapicState[] = [lapic()], interruptsEnabled = true) {
  const interrupts: InterruptState = { vcpu: 0, pic: [], pit: [], pending: ready, ...more };
  const waiting = waitingInterrupts({ interrupts, interruptsEnabled, lapics });
  assert.equal(waiting.length, 1, JSON.stringify(waiting));
  const end = waiting[0]?.links.at(-1);
  return `${end?.name}: ${end?.holds ? 'held' : 'passes'}`;
}

const requested = (more: Partial<LapicState> = {}) => ({ lapic: lapic({ irr: [0x40], ...more }) });

describe('what holds an interrupt', () => {
  for (const [what, expected, state, lapics] of [
    ['nothing', 'delivery: passes', requested()],
    ['a local APIC that is switched off', 'local APIC: held', requested({ mode: 'disabled' })],
    ['a local APIC that software disabled', 'software enable: held', requested({ softwareEnabled: false })],
    ['the same priority class', 'priority: held', requested({ tpr: 0x40 })],
    ['a lower priority class', 'delivery: passes', requested({ tpr: 0x3f, isr: [0x3f] })],
    ['the wait for SIPI', 'vCPU: held', { ...requested(), pending: { ...ready, mpState: 'uninitialized' } }],
    ['nothing, for a halted vCPU', 'delivery: passes', { ...requested(), pending: { ...ready, mpState: 'halted' } }],
    ['the shadow of STI', 'interrupt shadow: held', { ...requested(), pending: { ...ready, interruptShadow: true } }],
    [
      'another interrupt',
      'other events: held',
      { ...requested(), pending: { ...ready, interrupt: { vector: 0x30, soft: false } } },
    ],
    [
      'an NMI that is handled',
      'NMI blocking: held',
      { pending: { ...ready, nmi: { pending: true, injected: false, masked: true } } },
    ],
    ['a masked pin', 'mask: held', { ioapic: { id: 0, base: '0x0', pins: [pin({ masked: true })] } }],
    ['a reserved vector', 'vector: held', { ioapic: { id: 0, base: '0x0', pins: [pin({ vector: 8 })] } }],
    [
      'an id that nobody has',
      'destination: held',
      { ioapic: { id: 0, base: '0x0', pins: [pin({ destination: 3, pending: false })] } },
    ],
    [
      'nothing, to the second vCPU',
      'request: passes',
      { ioapic: { id: 0, base: '0x0', pins: [pin({ destination: 1 })] } },
      [lapic(), lapic({ id: 1 })],
    ],
    [
      'nothing, by a logical id',
      'request: passes',
      { ioapic: { id: 0, base: '0x0', pins: [pin({ destinationMode: 'logical', destination: 3 })] } },
    ],
    [
      'a logical id of another cluster',
      'destination: held',
      { ioapic: { id: 0, base: '0x0', pins: [pin({ destinationMode: 'logical', destination: 0x21 })] } },
      [lapic({ dfr: 0x0fff_ffff, ldr: 0x11 })],
    ],
    ['a masked message', 'mask: held', { messages: [message({ masked: true, pending: true })] }],
    ['a message to nobody', 'destination: held', { messages: [message({ last: lost({ address: '0xfee05000' }) })] }],
    ['a message with a reserved vector', 'vector: held', { messages: [message({ last: lost({ data: 0xf }) })] }],
    [
      'a message to a local APIC that is off',
      'local APIC: held',
      { messages: [message({ last: lost({}) })] },
      [lapic({ softwareEnabled: false })],
    ],
    ['a message that came too early', 'message: held', { messages: [message({ last: lost({}) })] }],
    ['the cascade', 'cascade mask: held', { pic: [pic('master', { imr: 4 }), pic('slave', { irr: 1 })] }],
    [
      'a master busy with IR1',
      'cascade in service: held',
      { pic: [pic('master', { isr: 2 }), pic('slave', { irr: 1 })] },
    ],
    [
      'a master busy with IR1, where that comes after the slave',
      'delivery: passes',
      { pic: [pic('master', { isr: 2, highestPriority: 2 }), pic('slave', { irr: 1 })] },
    ],
    ['a PIC that nobody programmed', 'initialization: held', { pic: [pic('master', { irr: 1, initialized: false })] }],
    ['nothing, from a PIC without local APIC', 'delivery: passes', { pic: [pic('master', { irr: 1 })] }],
  ] as readonly (readonly [string, string, Partial<InterruptState>, (readonly LapicState[])?])[]) {
    test(what, () => assert.equal(verdict(state, lapics), expected));
  }

  test('RFLAGS.IF', () => assert.equal(verdict(requested(), [lapic()], false), 'RFLAGS.IF: held'));

  test('a higher request goes first', () => {
    const interrupts: InterruptState = {
      vcpu: 0,
      pic: [],
      pit: [],
      pending: ready,
      lapic: lapic({ irr: [0x40, 0x50] }),
    };
    const waiting = waitingInterrupts({ interrupts, interruptsEnabled: true, lapics: [lapic()] });
    assert.deepEqual(
      waiting.map(({ vector, links }) => [vector, links.at(-1)?.name]),
      [
        [0x50, 'delivery'],
        [0x40, 'order'],
      ],
    );
  });

  test('a PIC whose priorities are turned lets the turned one go first', () => {
    const interrupts: InterruptState = {
      ...{ vcpu: 0, pit: [], pending: ready },
      pic: [pic('master', { irr: 0b1_0001, highestPriority: 4 })],
    };
    const waiting = waitingInterrupts({ interrupts, interruptsEnabled: true, lapics: [] });
    assert.deepEqual(
      waiting.map(({ source, links }) => [source, links.at(-1)?.name]),
      [
        ['PIC master IR0', 'order'],
        ['PIC master IR4', 'delivery'],
      ],
    );
  });
});
