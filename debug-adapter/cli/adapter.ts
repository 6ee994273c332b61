/** The debug adapter as a program part: `ringside dap`, and whoever else has two streams. */
import { areas } from '../session/areas.ts';
import { DapServer } from '../session/server.ts';
import { attachToStub } from '../target/attach-target.ts';
import { startBackend } from '../target/backend.ts';
import { loadTranslations } from './translations.ts';

/** Serves one client; resolves when it has gone and its guest with it. */
export async function serve(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<void> {
  loadTranslations();
  const server = new DapServer(areas, (args, say) =>
    args.request === 'attach' ? attachToStub(args) : startBackend(args, say),
  );
  const gone = new Promise<void>((resolve) => {
    input.once('end', resolve);
    input.once('close', resolve);
    output.once('error', () => resolve());
  });
  server.start(input, output);
  await gone;
  await server.close();
}
