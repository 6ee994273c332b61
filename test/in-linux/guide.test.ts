/** media/docs/linux.md, its part about Debian's kernel, under QEMU and with the packages' files that are here already. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { runToStop, withAdapter } from '../adapter/driving.ts';
import { Page } from '../guides/page.ts';
import { Reader } from '../guides/reader.ts';
import { assertSeen } from '../guides/seen.ts';
import { files, saidOnConsole } from './guest.ts';

const page = new Page('linux');
const DEBIAN = 'Debian’s kernel';

describe('the page about Linux, of Debian’s kernel', { timeout: 300_000 }, () => {
  let reader: Reader;
  before(async () => {
    reader = new Reader();
    await reader.follow(page, DEBIAN, {
      'packages that were downloaded': `mkdir -p boot usr/lib/debug/boot
ln -s '${files.kernel}' boot/vmlinuz-debian
ln -s '${files.vmlinux}' usr/lib/debug/boot/vmlinux-debian`,
    });
  });
  after(() => reader.close());

  test('stops where it says, shows what it says, and goes on to a shell', () =>
    withAdapter(
      () => coreAdapter({ longest: 240_000 }),
      async (client) => {
        await client.request('launch', { ...reader.launchAttributes(), backend: 'qemu' });
        await client.event('initialized');
        const [, name = ''] = /function breakpoint on `([^`]+)`/.exec(page.section(DEBIAN)) ?? [];
        await client.request('setFunctionBreakpoints', { breakpoints: [{ name }] });
        // There are no sources, so that VS Code shows the disassembly.
        assert.match((await runToStop(client)).description ?? '', /function breakpoint/);
        await assertSeen(client, page.table(DEBIAN), '');
        await client.request('continue', { threadId: 1 });
        await saidOnConsole(client, 'a shell of busybox');
      },
    ));
});
