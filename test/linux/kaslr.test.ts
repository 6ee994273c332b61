/** Debian's kernel where it put itself: how far that is is found out, and is what the kernel says of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, outputOf, topFrame, withAdapter } from '../adapter/driving.ts';
import { patience } from '../patience.ts';
import { COMMAND_LINE, debian, files, HIDDEN } from './linux-guest.ts';

const LONGEST = 120_000;
/** A function and an object, which the first process looks up in /proc/kallsyms. */
const NAMES = ['kernel_init', 'linux_banner'];

describe('a kernel that KASLR moved', { timeout: patience(LONGEST) }, () => {
  test('stops at functions by name, and has its symbols where its own kallsyms has them', () =>
    withAdapter(
      () => coreAdapter({ longest: LONGEST }),
      async (client) => {
        const said = outputOf(client);
        await client.request('launch', {
          program: debian.kernel,
          symbols: files.symbols,
          initrd: debian.initramfs,
          args: COMMAND_LINE.replace('nokaslr', ''),
          memory: '512M',
          cpu: { hide: HIDDEN },
          console: 'internalConsole',
        });
        await client.event('initialized');
        const breakpoints = ['kernel_init', 'kernel_power_off'].map((name) => ({ name }));
        await client.request('setFunctionBreakpoints', { breakpoints });
        await client.request('configurationDone');
        const stopsIn = async (name: string, file: RegExp) => {
          const stopped = await client.stopped();
          const told = `${JSON.stringify(stopped)}\n${said()}`;
          assert.equal(stopped.description, 'Paused on function breakpoint', told);
          const frame = await topFrame(client);
          assert.equal(frame.name, name, told);
          // Debian's sources are not on this machine.
          assert.match(frame.source?.origin ?? '', file);
          assert.ok(frame.line > 0);
        };
        await stopsIn('kernel_init', /\/init\/main\.c$/);
        const ours = await Promise.all(NAMES.map((name) => evaluate(client, `(unsigned long)&${name},x`)));
        await client.request('continue', { threadId: 1 });
        await stopsIn('kernel_power_off', /\/kernel\/reboot\.c$/);
        const theirs = NAMES.map((name) => new RegExp(`guest: ${name} at ([0-9a-f]{16})`).exec(said())?.[1] ?? said());
        assert.deepEqual(
          ours.map((text) => BigInt(text)),
          theirs.map((digits) => BigInt(`0x${digits}`)),
        );
        const symbols = await openSymbols(files.symbols);
        const linked = symbols.symbolsNamed('kernel_init')[0]?.address ?? 0n;
        symbols.close();
        const slide = BigInt(ours[0] ?? 0) - linked;
        assert.equal(
          said().includes(`The kernel runs 0x${slide.toString(16)} above its link address`),
          slide > 0n,
          said(),
        );
      },
    ));
});
