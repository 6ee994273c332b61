/**
 * The scan of all page tables below one CR3, as the Address Space editor asks for it, beside QEMU's monitor over the same
 * tables. A guest of 512 MiB with all of it mapped in pages of 4 KiB, and 64 MiB of user memory that lies scattered: more
 * tables than a Linux of that size has, which maps most of its memory in large pages.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createMessageConnection } from 'vscode-jsonrpc/node';
import { scanPageTables } from '../../hypervisor-core/inspect/page-tables.ts';
import { InspectServer } from '../../hypervisor-core/inspect/server.ts';
import { unpackScan } from '../../hypervisor-core/paging/scan-codec.ts';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import { QemuMonitor } from '../core/qemu-monitor.ts';
import { Session } from '../core/tiny-guest.ts';
import { assembleMultiboot, pageAndHalt } from '../guests/multiboot.ts';
import { milliseconds, printTable, summary } from './table.ts';

const MEMORY = 512 << 20;
const PAGE = 4096;
const TURNS = 20;
const QEMU_TURNS = 3;
/** What a scan is to take at most. */
const GOAL = 90;

/** Where the tables are, the root first. */
const TABLES = 0x200_0000n;
const DIRECT_MAP = 0xffff_8880_0000_0000n;
const USER = 0x7f00_0000_0000n;
const USER_PAGES = (64 << 20) / PAGE;
const [PRESENT_WRITABLE, USER_BIT, ACCESSED, DIRTY, LARGE] = [3n, 4n, 0x20n, 0x40n, 0x80n];

/** Tables of 4-level paging, with all rights but in their leaves. */
class Tables {
  readonly #tables = [new BigUint64Array(512)];

  get bytes(): Uint8Array {
    return Buffer.concat(this.#tables.map((table) => Buffer.from(table.buffer)));
  }

  get count(): number {
    return this.#tables.length;
  }

  /** `level` 1 is a page of 4 KiB, 2 one of 2 MiB. */
  map(address: bigint, level: 1 | 2, entry: bigint): void {
    let [table] = this.#tables as [BigUint64Array];
    for (let at = 4; at > level; at--) table = this.#below(table, this.#index(address, at));
    table[this.#index(address, level)] = entry;
  }

  #index(address: bigint, level: number): number {
    return Number((address >> BigInt(12 + 9 * (level - 1))) & 511n);
  }

  #below(table: BigUint64Array, index: number): BigUint64Array {
    if (table[index] === 0n) {
      table[index] = (TABLES + BigInt(this.#tables.length * PAGE)) | PRESENT_WRITABLE | USER_BIT | ACCESSED;
      this.#tables.push(new BigUint64Array(512));
    }
    const place = Number((((table[index] as bigint) & ~0xfffn) - TABLES) / BigInt(PAGE));
    return this.#tables[place] as BigUint64Array;
  }
}

function fullGuest(): Tables {
  const tables = new Tables();
  // The program of QEMU's guest.
  tables.map(0n, 2, PRESENT_WRITABLE | LARGE);
  for (let page = 0; page < MEMORY / PAGE; page++) {
    const written = page % 48 < 16 ? DIRTY : 0n;
    tables.map(DIRECT_MAP + BigInt(page * PAGE), 1, BigInt(page * PAGE) | PRESENT_WRITABLE | ACCESSED | written);
  }
  for (let page = 0; page < USER_PAGES; page++) {
    const frame = BigInt(((page * 7919) % USER_PAGES) * PAGE);
    tables.map(USER + BigInt(page * PAGE), 1, frame | PRESENT_WRITABLE | USER_BIT | ACCESSED);
  }
  return tables;
}

/** What a client waits for the scan, and the longest that the core's event loop does nothing else. */
async function ours(tables: Tables) {
  const session = await Session.start({ code: [0xf4] }, { memory: MEMORY });
  const { machine, vcpu } = session;
  const [here, there] = streamPair();
  const server = new InspectServer(machine, () => {});
  try {
    machine.memory.write(TABLES, tables.bytes);
    const cr3 = { cr3: hex(TABLES) };
    server.accept(there);
    const client = createMessageConnection(here, here);
    client.listen();
    const times: number[] = [];
    let runs = 0;
    for (let turn = 0; turn < TURNS; turn++) {
      times.push(
        await milliseconds(async () => {
          runs = unpackScan(await client.sendRequest(inspect.scanPages, { vcpu: 0, ...cr3 })).runs.length;
        }),
      );
    }
    client.end();
    const gaps: number[] = [];
    for (let turn = 0; turn < TURNS; turn++)
      gaps.push(await longestTurn(() => scanPageTables(vcpu, machine.memory, cr3)));
    return { times, gaps, runs };
  } finally {
    await server.close();
    await machine.close();
  }
}

/** Two ends of a stream within this process. */
function streamPair(): readonly [Duplex, Duplex] {
  const make = (other: () => Duplex) =>
    new Duplex({
      read: () => {},
      write: (chunk, _, done) => {
        other().push(chunk);
        done();
      },
      final: (done) => {
        other().push(null);
        done();
      },
    });
  const ends: [Duplex, Duplex] = [make(() => ends[1]), make(() => ends[0])];
  return ends;
}

/** Milliseconds between two turns of the event loop while `work` is done, at most. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  const watched = { done: false };
  const finished = work().then(() => {
    watched.done = true;
  });
  let longest = 0;
  let last = performance.now();
  while (!watched.done) {
    await nextTurn();
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  await finished;
  return longest;
}

/** Milliseconds of each command. */
async function qemu(folder: string, tables: Tables, commands: readonly string[]): Promise<readonly number[][]> {
  const file = (name: string) => join(folder, name);
  writeFileSync(file('tables'), tables.bytes);
  const kernel = assembleMultiboot(file('guest'), pageAndHalt({ cr3: TABLES, cr4: 0x20, efer: 0x900 }));
  const loader = `loader,file=${file('tables')},addr=${TABLES},force-raw=on`;
  const monitor = new QemuMonitor(kernel, ['-m', '512', '-device', loader]);
  try {
    await monitor.halted((registers) => registers.includes(`CR3=${TABLES.toString(16).padStart(16, '0')}`));
    const times: number[][] = [];
    for (const command of commands) {
      const own: number[] = [];
      for (let turn = 0; turn < QEMU_TURNS; turn++) own.push(await milliseconds(() => monitor.ask(command)));
      times.push(own);
    }
    return times;
  } finally {
    monitor.kill();
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  try {
    const tables = fullGuest();
    const { times, gaps, runs } = await ours(tables);
    const { median, text } = summary(times);
    const commands = ['info mem', 'info tlb'];
    const peers = await qemu(folder, tables, commands);
    printTable(`${tables.count} page tables, ${runs} runs of pages, milliseconds: median (least to most)`, [
      ['Ringside, until a client has it', text, `${(median / GOAL).toFixed(2)} of the ${GOAL} that it may take`],
      ['Ringside, longest turn of the event loop', summary(gaps).text, ''],
      ...peers.map((own, index) => {
        const peer = summary(own);
        return [`QEMU, ${commands[index]}`, peer.text, `${(peer.median / median).toFixed(1)} times ours`];
      }),
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
