import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { RspClient } from '../../test/clients/rsp-client.ts';
import { FakeMachine } from '../../test/core/fake-machine.ts';
import { registerFileBytes, registers, targetXml } from '../protocol/target-description.ts';
import { Stub } from './stub.ts';

let machine: FakeMachine;
let stub: Stub;
let server: Server;
let folder: string;
let path: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-stub-'));
  path = join(folder, 'gdb');
  machine = new FakeMachine();
  stub = new Stub(machine);
  server = createServer((socket) => stub.accept(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
});

afterEach(async () => {
  await stub.close();
  server.close();
  rmSync(folder, { recursive: true });
});

const text = (reply: string) => Buffer.from(reply, 'hex').toString();

describe('negotiation', () => {
  test('qSupported names what is there, and every packet it names is answered', async () => {
    const client = await RspClient.raw(path);
    const reply = await client.ask('qSupported:swbreak+;xmlRegisters=i386');
    assert.deepEqual(reply.split(';').sort(), [
      'BreakpointCommands+',
      'ConditionalBreakpoints+',
      'PacketSize=20000',
      'QStartNoAckMode+',
      'binary-upload+',
      'hwbreak+',
      'qXfer:features:read+',
      'qXfer:memory-map:read+',
      'qXfer:threads:read+',
      'swbreak+',
      'vContSupported+',
    ]);
    assert.equal(await client.ask('QStartNoAckMode'), 'OK');
    for (const object of ['features:read:target.xml', 'memory-map:read:', 'threads:read:']) {
      assert.match(await client.ask(`qXfer:${object}:0,40`), /^m<\?xml/, object);
    }
    assert.equal(await client.ask('vCont?'), 'vCont;c;C;s;S;r');
    assert.equal(await client.ask('vMustReplyEmpty'), '');
    assert.equal(await client.ask('qOffsets'), '');
    assert.equal(await client.ask('qAttached:1'), '1');
    assert.equal(await client.ask('qSymbol::'), 'OK');
    client.close();
  });

  test('documents come in pieces that join to the whole', async () => {
    const client = await RspClient.open(path);
    let xml = '';
    for (let more = true; more; ) {
      const reply = await client.ask(`qXfer:features:read:target.xml:${xml.length.toString(16)},1ff`);
      xml += reply.slice(1);
      more = reply[0] === 'm';
    }
    assert.equal(xml, targetXml());
    assert.match(await client.ask('qXfer:features:read:toString:0,40'), /^E/);
    client.close();
  });

  test('a client that acknowledges: + for each packet, - for a damaged one, the reply again after its own -', async () => {
    const client = await RspClient.raw(path);
    let bytes = '';
    client.socket.on('data', (chunk) => {
      bytes += chunk.toString('latin1');
    });
    client.socket.write('$qC#b5$qC#b4');
    assert.equal(await client.reply(), 'QC1');
    client.socket.write('-');
    assert.equal(await client.reply(), 'QC1');
    assert.equal(bytes, '-+$QC1#c5$QC1#c5');
    client.close();
  });

  test('a second client is told why, and closed', async () => {
    const first = await RspClient.open(path);
    const second = await RspClient.raw(path);
    assert.match(await second.ask('qSupported'), /^E\.another debugger/);
    await second.closed();
    assert.equal(await first.ask('qC'), 'QC1');
    first.close();
  });
});

describe('registers', () => {
  test('g, p, P and G agree', async () => {
    const client = await RspClient.open(path);
    const { regnum, offset } = registers.find(({ name }) => name === 'cr3')!;
    assert.equal(await client.ask(`P${regnum.toString(16)}=0010340000000000`), 'OK');
    assert.equal(await client.ask(`p${regnum.toString(16)}`), '0010340000000000');
    const file = await client.ask('g');
    assert.equal(file.length, 2 * registerFileBytes);
    assert.equal(file.slice(2 * offset, 2 * offset + 16), '0010340000000000');
    assert.equal(await client.ask(`G${file.replace('1034', '2034')}`), 'OK');
    assert.deepEqual([...machine.vcpus[0]!.registers.read('cr3')], [0, 0x20, 0x34, 0, 0, 0, 0, 0]);
    client.close();
  });

  test('Hg picks the vCPU, and qThreadExtraInfo says how it is', async () => {
    const client = await RspClient.open(path);
    machine.vcpus[1]!.registers.write('rax', Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0));
    assert.equal(await client.ask('qfThreadInfo'), 'm1,2');
    assert.equal(await client.ask('qsThreadInfo'), 'l');
    assert.equal(await client.ask('Hg2'), 'OK');
    assert.equal(await client.ask('p0'), '0700000000000000');
    assert.equal(text(await client.ask('qThreadExtraInfo,2')), 'vCPU 1 [halted]');
    assert.equal(await client.ask('T2'), 'OK');
    assert.match(await client.ask('T3'), /^E/);
    assert.match(await client.ask('Hg3'), /^E/);
    client.close();
  });
});

describe('memory', () => {
  test('m, M, X and x agree, and a read stops short at the end of memory', async () => {
    const client = await RspClient.open(path);
    assert.equal(await client.ask('M100,4:01020304'), 'OK');
    assert.equal(await client.ask('X104,0:'), 'OK');
    assert.equal(await client.ask('X104,3:$#}'), 'OK');
    assert.equal(await client.ask('m100,7'), '0102030424237d');
    assert.equal(await client.ask('x104,3'), 'b$#}');
    assert.equal(await client.ask('mfffe,10'), '0000');
    assert.match(await client.ask('m10000,4'), /^E\..*0x10000/);
    assert.match(await client.ask('Mfffe,4:00000000'), /^E\..*0x10000/);
    client.close();
  });

  test('physical mode is switched as in QEMU', async () => {
    const client = await RspClient.open(path);
    assert.equal(await client.ask('qqemu.Supported'), 'sstepbits;sstep;PhyMemMode');
    assert.equal(await client.ask('qqemu.PhyMemMode'), '0');
    assert.equal(await client.ask('Qqemu.PhyMemMode:1'), 'OK');
    assert.equal(await client.ask('qqemu.PhyMemMode'), '1');
    assert.match(await client.ask('m10000,4'), /^E\..*no RAM at physical/);
    client.close();
  });

  test('regions are what the page tables treat alike', async () => {
    const client = await RspClient.open(path);
    assert.equal(await client.ask('qMemoryRegionInfo:'), 'OK');
    assert.equal(await client.ask('qMemoryRegionInfo:1234'), 'start:0;size:10000;permissions:rwx;');
    assert.equal(await client.ask('qMemoryRegionInfo:10000'), 'start:10000;size:ffffffffffff0000;');
    // 32-bit paging: entries 3 and 4 of the table for the first 4 MiB are mapped, the second read-only.
    const word = (at: number, value: number) => Buffer.from(machine.ram.buffer).writeUInt32LE(value, at);
    word(0x1000, 0x2003);
    word(0x200c, 0x5003);
    word(0x2010, 0x6001);
    const { registers: file } = machine.vcpus[0]!;
    file.write('cr0', Uint8Array.of(1, 0, 0, 0x80, 0, 0, 0, 0));
    file.write('cr3', Uint8Array.of(0, 0x10, 0, 0, 0, 0, 0, 0));
    assert.equal(await client.ask('qMemoryRegionInfo:3123'), 'start:3000;size:1000;permissions:rwx;');
    assert.equal(await client.ask('qMemoryRegionInfo:4fff'), 'start:4000;size:1000;permissions:rx;');
    assert.match(await client.ask('qMemoryRegionInfo:5000'), /^start:5000;size:[0-9a-f]+;$/);
    assert.match(await client.ask('qMemoryRegionInfo:zz'), /^E/);
    client.text = '';
    assert.equal(await client.ask(`qRcmd,${Buffer.from('info mem').toString('hex')}`), 'OK');
    assert.equal(
      client.text,
      '0000000000003000-0000000000004000 0000000000001000 -rw\n0000000000004000-0000000000005000 0000000000001000 -r-\n',
    );
    client.close();
  });

  test('the memory map leaves no address out, and is ROM only where addresses are physical', async () => {
    const client = await RspClient.open(path);
    const map = async () =>
      [
        ...(await client.ask('qXfer:memory-map:read::0,1000')).matchAll(
          /type="(\w+)" start="0x(\w+)" length="0x(\w+)"/g,
        ),
      ].map(([, type, start, length]) => ({ type, start: BigInt(`0x${start}`), length: BigInt(`0x${length}`) }));
    for (const paging of [false, true]) {
      machine.vcpus[0]!.registers.write('cr0', Uint8Array.of(1, 0, 0, paging ? 0x80 : 0, 0, 0, 0, 0));
      let next = 0n;
      for (const { start, length } of await map()) {
        assert.equal(start, next);
        assert.ok(length < 1n << 64n);
        next = start + length;
      }
      assert.equal(next, 1n << 64n);
    }
    assert.deepEqual(new Set((await map()).map(({ type }) => type)), new Set(['ram']));
    machine.vcpus[0]!.registers.write('cr0', new Uint8Array(8));
    assert.deepEqual(
      (await map()).filter(({ type }) => type === 'rom'),
      [{ type: 'rom', start: 0xfffe0000n, length: 0x20000n }],
    );
    client.close();
  });
});

describe('run control', () => {
  test('vCont gives each vCPU the first action that fits it', async () => {
    const client = await RspClient.open(path);
    client.send('vCont;s:1;c');
    await running();
    assert.deepEqual(machine.resumed.at(-1), [
      { vcpu: 0, action: { kind: 'step' } },
      { vcpu: 1, action: { kind: 'continue' } },
    ]);
    machine.stop({ vcpu: 0, reason: { kind: 'step' } });
    assert.match(await client.reply(), /^T05thread:1;10:0{16};/);
    client.send('vCont;r1000,1010:2');
    await running();
    assert.deepEqual(machine.resumed.at(-1), [
      { vcpu: 1, action: { kind: 'range-step', start: 0x1000n, end: 0x1010n } },
    ]);
    machine.stop({ vcpu: 1, reason: { kind: 'breakpoint', address: 0x1004n, hardware: false } });
    assert.match(await client.reply(), /^T05swbreak:;thread:2;/);
    assert.equal(await client.ask('qC'), 'QC2');
    assert.match(await client.ask('vCont;c:9'), /^E/);
    assert.match(await client.ask('vCont;q'), /^E/);
    client.close();
  });

  test('steps hold interrupts off, or do not when QEMU’s sstep bits say so', async () => {
    const client = await RspClient.open(path);
    assert.equal(await client.ask('qqemu.sstepbits'), 'ENABLE=1,NOIRQ=2,NOTIMER=4');
    assert.equal(await client.ask('qqemu.sstep'), '0x7');
    assert.equal(await client.ask('Qqemu.sstep=5'), 'OK');
    assert.equal(await client.ask('qqemu.sstep'), '0x5');
    assert.match(await client.ask('Qqemu.sstep=8'), /^E/);
    client.send('vCont;s:1;c');
    await running();
    assert.deepEqual(machine.resumed.at(-1), [
      { vcpu: 0, action: { kind: 'step', interrupts: true } },
      { vcpu: 1, action: { kind: 'continue' } },
    ]);
    machine.stop({ vcpu: 0, reason: { kind: 'step' } });
    await client.reply();
    client.close();
  });

  test('plain c and s, with an address', async () => {
    const client = await RspClient.open(path);
    client.send('s1234');
    await running();
    assert.deepEqual(machine.resumed.at(-1), [{ vcpu: 0, action: { kind: 'step' } }]);
    assert.deepEqual([...machine.vcpus[0]!.registers.read('rip')], [0x34, 0x12, 0, 0, 0, 0, 0, 0]);
    machine.stop({ vcpu: 0, reason: { kind: 'step' } });
    await client.reply();
    client.send('C05');
    await running();
    assert.equal(machine.resumed.at(-1)?.length, 2);
    client.interrupt();
    assert.match(await client.reply(), /^T02thread:1;/);
    client.close();
  });

  test('while the guest runs, everything but ^C and kill is refused', async () => {
    const client = await RspClient.open(path);
    client.send('vCont;c');
    assert.match(await client.ask('g'), /^E\.the guest is running/);
    client.interrupt();
    assert.match(await client.reply(), /^T02/);
    client.close();
  });

  test('stops tell watchpoints apart, and put a fault in words', async () => {
    const client = await RspClient.open(path);
    const after = async (reason: Parameters<FakeMachine['stop']>[0]['reason']) => {
      client.send('vCont;c');
      await running();
      machine.stop({ vcpu: 0, reason });
      return client.reply();
    };
    assert.match(await after({ kind: 'watchpoint', address: 0x2000n, access: 'write' }), /^T05watch:2000;/);
    assert.match(await after({ kind: 'watchpoint', address: 0x2000n, access: 'access' }), /^T05awatch:2000;/);
    assert.match(await after({ kind: 'breakpoint', address: 1n, hardware: true }), /^T05hwbreak:;/);
    assert.match(await after({ kind: 'triple-fault', message: 'the guest shut down' }), /^T0b/);
    assert.equal(client.text, 'the guest shut down\n');
    client.close();
  });

  test('the end of the guest', async () => {
    const client = await RspClient.open(path);
    client.send('vCont;c');
    await running();
    machine.end({ cause: 'debug-exit', exitStatus: 0x121, message: 'the guest wrote 0x90 to the debug-exit port' });
    assert.equal(await client.reply(), 'W21');
    assert.equal(await client.ask('?'), 'W21');
    client.close();
  });

  test('R goes back to the start, also after the end, without a reply', async () => {
    const client = await RspClient.open(path);
    assert.equal(await client.ask('!'), 'OK');
    client.send('vCont;c');
    await running();
    machine.end({ cause: 'power-off', exitStatus: 0, message: 'off' });
    assert.equal(await client.reply(), 'W00');
    client.send('R00');
    assert.match(await client.ask('?'), /^T05thread:1;/);
    assert.equal(machine.state.kind, 'stopped');
    client.close();
  });

  test('k ends the guest, running or not', async () => {
    const client = await RspClient.open(path);
    client.send('vCont;c');
    client.send('k');
    await client.closed();
    assert.equal(machine.state.kind, 'ended');
  });
});

describe('breakpoints', () => {
  test('inserting and removing are idempotent', async () => {
    const client = await RspClient.open(path);
    for (const packet of ['Z0,1000,1', 'Z0,1000,1', 'Z1,1000,1', 'Z2,2000,8'])
      assert.equal(await client.ask(packet), 'OK');
    assert.deepEqual(machine.inserted, ['software 1000 1', 'hardware 1000 1', 'write 2000 8']);
    for (const packet of ['z0,1000,1', 'z0,1000,1', 'z4,5,5']) assert.equal(await client.ask(packet), 'OK');
    assert.deepEqual(machine.inserted, ['hardware 1000 1', 'write 2000 8']);
    client.close();
  });

  test('conditions and commands reach the machine, and a new insertion replaces them', async () => {
    const client = await RspClient.open(path);
    assert.equal(await client.ask('Z0,1000,1;X3,220127X3,220027;cmds:1,X3,220527'), 'OK');
    assert.deepEqual(machine.inserted, ['software 1000 1;X3,220127X3,220027;cmds:0,X3,220527']);
    assert.equal(await client.ask('Z0,1000,1;X3,220227;cr3:1234000;unknown:1'), 'OK');
    assert.deepEqual(machine.inserted, ['software 1000 1;X3,220227;cr3:1234000']);
    for (const packet of ['Z0,1000,1;X4,220227', 'Z0,1000,1;X', 'Z0,1000,1;cmds:0,220227', 'Z0,1000,1;X1,zz']) {
      assert.match(await client.ask(packet), /^E/, packet);
    }
    assert.equal(await client.ask('z0,1000,1'), 'OK');
    assert.deepEqual(machine.inserted, []);
    client.close();
  });

  test('variables that conditions count in are set and read', async () => {
    const client = await RspClient.open(path);
    assert.equal(await client.ask('qTV:7'), 'V0');
    assert.equal(await client.ask('QTDV:7:ffffffffffffffff:0:68697473'), 'OK');
    assert.equal(await client.ask('qTV:7'), 'Vffffffffffffffff');
    assert.match(await client.ask('qTV:400'), /^E\..*variable 1024; there are 1024/);
    assert.match(await client.ask('QTDV:1'), /^E/);
    client.close();
  });

  test('what a command prints is shown, and what a client does not read is counted', async () => {
    const client = await RspClient.open(path);
    client.send('vCont;c');
    await running();
    machine.printFromBreakpoint('hit 1\n');
    machine.stop({
      vcpu: 0,
      reason: { kind: 'breakpoint', address: 16n, hardware: false, problem: 'divides by zero' },
    });
    await client.reply();
    assert.equal(client.text, 'hit 1\nThe condition of the breakpoint at 0x10 divides by zero.\n');
    client.close();
  });

  test('a refusal gives its reason in the words that the client understands', async () => {
    const replies: string[] = [];
    for (const features of ['error-message+', 'swbreak+;hwbreak+', 'xmlRegisters=i386']) {
      const client = await RspClient.open(path, features);
      replies.push(await client.ask('Z3,1000,1'));
      assert.equal(await client.ask('D'), 'OK');
      await client.closed();
    }
    assert.deepEqual(replies, ['E.this host cannot watch reads', 'E.refused.this host cannot watch reads', 'E01']);
  });

  test('detaching takes them back and lets the guest run; attaching stops it', async () => {
    const first = await RspClient.open(path);
    await first.ask('Z0,1000,1');
    assert.equal(await first.ask('D'), 'OK');
    await first.closed();
    assert.deepEqual(machine.inserted, []);
    assert.equal(machine.state.kind, 'running');
    const second = await RspClient.open(path);
    assert.match(await second.ask('?'), /^T02/);
    assert.equal(machine.state.kind, 'stopped');
    second.close();
  });

  test('monitor stop-on asks the machine, shows what it was asked, and is forgotten when the client leaves', async () => {
    const client = await RspClient.open(path);
    const monitor = async (command: string) => {
      client.text = '';
      assert.equal(await client.ask(`qRcmd,${Buffer.from(command).toString('hex')}`), 'OK');
      return client.text;
    };
    assert.match(await monitor('stop-on'), /^stop-on port FIRST/);
    assert.equal(await monitor('stop-on port 0x3f8-0x3ff write'), '');
    assert.equal(await monitor('stop-on exception 14'), '');
    assert.equal(await monitor('stop-on hypercall'), 'hypercalls stay in the kernel\n');
    assert.match(await monitor('stop-on nothing'), /^stop-on port FIRST/);
    assert.equal(await monitor('stop-on'), 'port 0x3f8-0x3ff write\nexception 14\n');
    client.send('vCont;c');
    await running();
    machine.stop({ vcpu: 0, reason: { kind: 'event', message: 'The guest wrote.' } });
    assert.match(await client.reply(), /^T05/);
    assert.equal(client.text.endsWith('The guest wrote.\n'), true);
    assert.equal(await client.ask('D'), 'OK');
    await client.closed();
    assert.deepEqual([...machine.stops.values()].flat(), []);
  });

  test('a client lost while the guest runs leaves it running, without breakpoints', async () => {
    const client = await RspClient.open(path);
    await client.ask('Z0,1000,1');
    client.send('vCont;c');
    await running();
    const resumed = machine.resumed.length;
    client.close();
    while (machine.resumed.length === resumed) await new Promise(setImmediate);
    assert.deepEqual(machine.inserted, []);
    assert.equal(machine.state.kind, 'running');
  });
});

describe('monitor', () => {
  const monitor = async (client: RspClient, command: string) => {
    client.text = '';
    assert.equal(await client.ask(`qRcmd,${Buffer.from(command).toString('hex')}`), 'OK');
    return client.text;
  };

  test('help lists every command, and each answers', async () => {
    const client = await RspClient.open(path);
    machine.call('xen_version');
    const help = await monitor(client, 'help');
    assert.match(help, /^info registers /m);
    assert.match(await monitor(client, 'info registers'), /^CR0=00000000 CR2=0{16} CR3=0{16} CR4=00000000$/m);
    assert.match(await monitor(client, 'info lapic'), /no local APIC/);
    assert.match(await monitor(client, 'info mtree'), /0{16}-000000000000ffff \(ram\): RAM/);
    assert.match(await monitor(client, 'info hypercalls'), /^1 hypercalls\n.*xen_version\(cmd=0x0\) = 0x4000a/);
    assert.equal(await monitor(client, 'gva2gpa 0x1234'), 'gpa: 0x1234\n');
    assert.equal(await monitor(client, 'gva2gpa 0xffff0000'), 'Unmapped\n');
    assert.equal(await monitor(client, 'info snapshots'), 'There is no snapshot available.\n');
    assert.equal(await monitor(client, 'savevm boot'), '');
    assert.match(await monitor(client, 'info snapshots'), /^-- {2}boot +1\.5 MiB 2026-01-02 03:04:05 00:00:01\.500$/m);
    assert.equal(await monitor(client, 'loadvm boot'), '');
    assert.equal(await monitor(client, 'delvm boot'), '');
    assert.equal(await monitor(client, 'loadvm boot'), 'Error: There is no snapshot "boot".\n');
    machine.ram.set(Buffer.from("AB'\n\x00xyz01234567"), 0x100);
    assert.equal(
      await monitor(client, 'xp /4xw 0x100'),
      '0000000000000100: 0x0a274241 0x7a797800 0x33323130 0x37363534\n',
    );
    assert.equal(await monitor(client, 'xp /2xg 256'), '0000000000000100: 0x7a7978000a274241 0x3736353433323130\n');
    assert.equal(await monitor(client, 'xp /5c 0x100'), "0000000000000100: 'A' 'B' '\\'' '\\n' '\\x00'\n");
    assert.equal(await monitor(client, 'xp /2dw 0x200'), '0000000000000200:          0          0\n');
    assert.match(await monitor(client, 'xp /2xw 0xfffc'), /Cannot access memory at 0x10000/);
    assert.match(await monitor(client, 'xp /99999xg 0'), /^xp \//);
    const [msr] = machine.vcpus[0]!.msrs();
    assert.equal(
      await monitor(client, `rdmsr ${msr!.index}`),
      `LSTAR (0x${msr!.index.toString(16)}) = ${msr!.value}\n`,
    );
    assert.match(await monitor(client, 'rdmsr 0x1'), /KVM keeps no MSR 0x1/);
    assert.match(await monitor(client, 'wrmsr 1'), /^wrmsr wants/);
    assert.match(await monitor(client, 'launch missiles'), /unknown command: launch missiles/);
    client.close();
  });
});

test('whatever bytes come, the stub answers the next honest packet', async () => {
  const packets = fc.oneof(
    fc.constantFrom(
      'g',
      'p',
      'm',
      'M',
      'X',
      'x',
      'Z0',
      'z1',
      'H',
      'T',
      'vCont',
      'qXfer',
      'qRcmd',
      'qThreadExtraInfo',
      'D;',
      'P',
      'G',
      '?',
      's',
      'C',
    ),
    fc.string({ maxLength: 6 }),
  );
  const tail = fc.string({ unit: fc.constantFrom(...'0123456789abcdef,;:=-p.rscxz'), maxLength: 24 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(packets, tail), { maxLength: 12 }), async (list) => {
      const client = await RspClient.open(path);
      for (const [head, rest] of list) {
        const payload = `${head}${rest}`;
        if (!/^(k|vKill|D$|D;[0-9a-f]{1,8}$)/.test(payload)) client.send(payload);
      }
      client.interrupt();
      client.send('qRcmd,68656c70');
      while (!client.text.includes('info registers')) {
        await client.reply();
        if (machine.state.kind === 'running') client.interrupt();
        client.send('qRcmd,68656c70');
      }
      client.send('D');
      await client.closed();
    }),
    { numRuns: 60 },
  );
});

async function running(): Promise<void> {
  while (machine.state.kind !== 'running') await new Promise(setImmediate);
}
