/** Ringside's own requests: what the views show of the machine. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import type { PagesChoice, StatePart } from '../protocol/custom.ts';
import { addressValue } from './address-value.ts';
import type { Area } from './area.ts';
import { address, integer, text } from './arguments.ts';
import { badArgument, badNumber, noSuchRegister, noSuchThread, onlyOurCore, targetRefused } from './errors.ts';
import { inlineScope } from './inline-scope.ts';
import type { Session } from './session.ts';
import { addressMappings } from './state/address-space-part.ts';
import { exitsPart, exitTrace, traceExits } from './state/exits-part.ts';
import { hypercallsFrom } from './state/hypercalls-part.ts';
import { childTable, walkAddress } from './state/page-tables-part.ts';
import { screenChanges } from './state/screen.ts';
import { STATE_PARTS, snapshot } from './state/snapshot.ts';
import { vcpusPart } from './state/vcpus-part.ts';
import { fromLittleEndian } from './stop-state.ts';
import { announceRegisters, assign } from './writes.ts';

const MOST_RECORDS = 10_000;
const DEEPEST_TABLE = 5;
const MOST_VCPUS = 1024;
const MOST_STOPS = 256;

export const stateRequests: Area = {
  capabilities: {},
  handlers: {
    'ringside/follow': (session, args) => {
      session.followed.follow(stateParts(args.parts), pagesChoice(args.pages));
      return {};
    },

    'ringside/snapshot': async (session, args) => {
      const threads = await session.guest.threads();
      if (!threads.some(({ id }) => id === args.threadId)) throw noSuchThread(args.threadId);
      const parts = stateParts(args.parts);
      const frame = args.frameId === undefined ? undefined : await session.frame(args.frameId);
      if (frame && frame.thread !== args.threadId) throw badArgument('frameId', 'must be of the same vCPU');
      return snapshot(session, args.threadId, parts, { pages: pagesChoice(args.pages), frame: frame?.frame });
    },

    'ringside/setRegister': async (session, args) => {
      const { thread } = await session.stoppedThread(args.threadId);
      return setRegister(session, thread, text('name', args.name, 64), text('value', args.value));
    },

    'ringside/pageTable': async (session, args) => {
      const { state, thread } = await session.stoppedThread(args.threadId);
      if (!Array.isArray(args.path) || args.path.length > DEEPEST_TABLE)
        throw badArgument('path', 'must be a list of indices');
      const path = args.path.map((index) => integer('path', index, 0, 1023));
      return { entries: await childTable(state, thread, path, root(args.cr3)) };
    },

    'ringside/walk': async (session, args) => {
      const { state, thread } = await session.stoppedThread(args.threadId);
      const address = await addressValue(session, thread, 'address', args.address);
      return walkAddress(state, thread, address, root(args.cr3));
    },

    'ringside/mappings': async (session, args) => {
      const { state, thread } = await session.stoppedThread(args.threadId);
      const physical = await addressValue(session, thread, 'physical', args.physical);
      return addressMappings(session, state, thread, physical, root(args.cr3));
    },

    'ringside/inlineScope': async (session, args) => inlineScope(await session.frame(args.frameId)),
    'ringside/inject': async (session, args) => {
      const { thread } = await session.stoppedThread(args.threadId);
      const core = session.guest.target.inspect;
      if (!core) throw onlyOurCore('Injecting interrupts');
      const vector = args.vector === undefined ? {} : { vector: integer('vector', args.vector, 16, 255) };
      await core.sendRequest(inspect.inject, { vcpu: thread - 1, ...vector }).catch((error: Error) => {
        throw targetRefused(error.message);
      });
      return {};
    },

    'ringside/hypercalls': (session, args) =>
      hypercallsFrom(
        session.guest,
        integer('from', args.from, 0, Number.MAX_SAFE_INTEGER),
        integer('limit', args.limit, 1, MOST_RECORDS),
      ),

    'ringside/recordCalls': async (session, args) => ({
      on: await session.guestCalls.want(session.guest, args.on === true),
    }),

    'ringside/exits': (session) => exitsPart(session.guest),

    'ringside/traceExits': (session, args) => traceExits(session.guest, args.on === true),

    'ringside/exitTrace': (session, args) => {
      if (!Array.isArray(args.from) || args.from.length > MOST_VCPUS)
        throw badArgument('from', 'must be a list of numbers');
      const from = args.from.map((one) => integer('from', one, 0, Number.MAX_SAFE_INTEGER));
      return exitTrace(session.guest, from, integer('limit', args.limit, 1, MOST_RECORDS));
    },

    'ringside/screen': (session, args) =>
      screenChanges(session.guest, integer('known', args.known, 0, Number.MAX_SAFE_INTEGER)),

    'ringside/vcpus': (session) => vcpusPart(session),

    'ringside/stopOn': async ({ guest, stopRequests, guestCalls }, args) => {
      if (!Array.isArray(args.stops) || args.stops.length > MOST_STOPS) throw badArgument('stops', 'must be a list');
      const stops = args.stops.map((one) => text('stops', one, 128));
      if (!guest.target.inspect) throw onlyOurCore('What else the guest stops on');
      await guestCalls.needFor(guest, stops);
      await guest.runner.whileStopped(() =>
        stopRequests.replace(guest.target, 'views', stops).catch((error: Error) => {
          throw targetRefused(error.message);
        }),
      );
      return {};
    },
  },
};

/** Those that there are of the parts that a client names. */
function stateParts(parts: unknown): ReadonlySet<StatePart> {
  const named = new Set<unknown>(Array.isArray(parts) ? parts : []);
  return new Set(STATE_PARTS.filter((part) => named.has(part)));
}

/** Another root of page tables than the vCPU's own. */
function root(cr3: unknown): bigint | undefined {
  return cr3 === undefined ? undefined : address('cr3', cr3);
}

function pagesChoice(pages: unknown): PagesChoice {
  if (typeof pages !== 'object' || pages === null) return {};
  const { cr3, since } = pages as PagesChoice;
  return {
    ...(cr3 === undefined ? {} : { cr3: hex(address('cr3', cr3)) }),
    ...(since === undefined ? {} : { since: integer('since', since, 0, Number.MAX_SAFE_INTEGER) }),
  };
}

/** A register of the stub, or an MSR of our core by its name. The value is a C expression. */
async function setRegister(session: Session, thread: number, name: string, source: string) {
  const shown = await session.frameAt({ thread, index: 0 });
  const { target } = session.guest;
  if (target.registers.some((register) => register.name === name)) {
    await assign(session, shown, await session.expressions.evaluate(`$${name}`, shown.context), source);
    return { value: hex(fromLittleEndian(await target.readRegister(thread, name))) };
  }
  const vcpu = thread - 1;
  const msr = (await target.inspect?.sendRequest(inspect.msrs, { vcpu }))?.find((one) => one.name === name);
  if (!msr || !target.inspect) throw noSuchRegister(name);
  if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(source.trim())) throw badNumber(source);
  await target.inspect
    .sendRequest(inspect.writeMsr, { vcpu, index: msr.index, value: hex(BigInt(source.trim())) })
    .catch((error: Error) => {
      throw targetRefused(error.message);
    });
  announceRegisters(session);
  const now = (await target.inspect.sendRequest(inspect.msrs, { vcpu })).find((one) => one.name === name);
  return { value: now?.value ?? msr.value };
}
