/** media/docs/clients.md: each session, word by word, with the guests that it names. */
import { copyFileSync, cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { smallLinux } from '../linux/linux-guest.ts';
import { patience } from '../patience.ts';
import { EARLY_COMMAND_LINE } from '../small-linux/early.ts';
import { Page } from './page.ts';
import { Reader } from './reader.ts';

const page = new Page('clients');

describe('the page about other debuggers', { timeout: patience(400_000) }, () => {
  let reader: Reader;
  before(async () => {
    reader = new Reader();
    await reader.follow(new Page('hobby-kernel'), 'The kernel');
  });
  after(() => reader.close());

  for (const session of ['gdb', 'lldb', 'gef and pwndbg']) {
    test(`shows a session of ${session}, which goes as it says`, async () => {
      await reader.follow(page, session);
    });
  }

  test('shows a session of the kernel’s own commands for gdb', async () => {
    const scripts = process.env['RINGSIDE_SMALL_SCRIPTS'] ?? '';
    copyFileSync(smallLinux.vmlinux.kernel, join(reader.folder, 'vmlinux'));
    copyFileSync(scripts, join(reader.folder, 'vmlinux-gdb.py'));
    cpSync(join(dirname(scripts), 'scripts'), join(reader.folder, 'scripts'), { recursive: true });
    // Both kinds of host that tests have need more words than a user's.
    await reader.follow(page, 'The kernel’s own commands for gdb', {}, (command) =>
      command.replace('console=ttyS0 nokaslr', EARLY_COMMAND_LINE),
    );
  });
});
