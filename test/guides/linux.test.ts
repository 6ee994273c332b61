/** media/docs/linux.md, its first part, with the small Linux in place of the kernel that a user builds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { linuxAttributes, linuxBuildIn } from '../../extension/novsc/linux-build.ts';
import { coreAdapter, hostAnswers } from '../adapter/core-adapter.ts';
import { runToStop, withAdapter } from '../adapter/driving.ts';
import { cpu, smallLinux } from '../linux/linux-guest.ts';
import { patience } from '../patience.ts';
import { EARLY_COMMAND_LINE } from '../small-linux/early.ts';
import { Page } from './page.ts';
import { Reader } from './reader.ts';
import { assertSeen } from './seen.ts';

const page = new Page('linux');
const OWN = 'A kernel that you build';
/** As the page says of it. */
const interpreted = hostAnswers('emulated-supervisor', 'yes');
const built = dirname(smallLinux.pvh.kernel);

describe('the page about Linux, of a kernel that is built', { timeout: patience(400_000) }, () => {
  let reader: Reader;
  before(async () => {
    reader = new Reader();
    await reader.follow(page, OWN, {
      'a kernel that is built already': `mkdir -p arch/x86/boot
ln -s '${built}/bzImage' arch/x86/boot
ln -s '${built}/vmlinux' '${built}/.config' '${built}'/sources/* .`,
    });
  });
  after(() => reader.close());

  test('asks for options that the kernel has', () => {
    const options = (file: string) => readFileSync(join(reader.folder, file), 'utf8').trim().split('\n');
    const has = new Set(options('.config'));
    assert.deepEqual(
      options('debug.config').filter((option) => !has.has(option)),
      [],
    );
  });

  test('has the launch.json that F5 makes do with', async () => {
    const build = await linuxBuildIn(reader.folder);
    assert.ok(build);
    const { type, request, name, ...attributes } = { ...reader.launchAttributes() } as Record<string, unknown>;
    assert.deepEqual([type, request, typeof name], ['kvm', 'launch', 'string']);
    assert.deepEqual(
      attributes,
      linuxAttributes(build, (path) => path),
    );
  });

  test('stops where it says, and shows what it says', () =>
    withAdapter(
      () => coreAdapter({ longest: 300_000 }),
      async (client) => {
        const attributes = reader.launchAttributes();
        // Both kinds of host that tests have need more words than a user's.
        await client.request('launch', {
          ...attributes,
          ...(interpreted && { program: attributes.symbols }),
          args: EARLY_COMMAND_LINE,
          console: 'internalConsole',
          // As VS Code says it of its workspace.
          sourceFolders: [reader.folder],
          cpu,
        });
        await client.event('initialized');
        const [, name = ''] = /function breakpoint on `([^`]+)`/.exec(page.section(OWN)) ?? [];
        await client.request('setFunctionBreakpoints', { breakpoints: [{ name }] });
        assert.equal((await runToStop(client)).reason, 'function breakpoint');
        await assertSeen(client, page.table(OWN), '');
      },
    ));
});
