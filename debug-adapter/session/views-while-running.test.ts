/** What views ask for while the guest runs is answered, also while its stop is on the way to the client. */
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DapClient } from '../cli/dap-client.ts';
import { ElfFile } from '../symbols/elf.ts';
import { areas } from './areas.ts';
import { CannedTarget } from './canned-target.ts';
import { DapServer } from './server.ts';

const program = join(__dirname, '../../media/sample/ringside-sample.elf');

const steps = Array.from({ length: 50 }, () => ({ kind: 'step' }) as const);

test('the vCPUs view never meets a guest that is neither running nor stopped', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const server = new DapServer(areas, async () => new CannedTarget(ElfFile.open(program), steps));
  server.start(input, output);
  const client = new DapClient(output, input);
  try {
    await client.request('launch', { program, stopOnEntry: true });
    await client.request('configurationDone');
    await client.stopped();
    for (const _ of steps) {
      const stopped = client.stopped();
      let over = false;
      void stopped.then(() => {
        over = true;
      });
      const answers: Promise<unknown>[] = [client.request('stepIn', { threadId: 1, granularity: 'instruction' })];
      while (!over) {
        answers.push(client.request('ringside/vcpus'));
        await nextTurn();
      }
      await Promise.all(answers);
    }
  } finally {
    await server.close();
  }
});
