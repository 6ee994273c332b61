// `npm run test:electron`: the tests of extension-host/ in the desktop's VS Code, which @vscode/test-electron downloads.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { loadBesideBundle } from '../../esbuild.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const staging = 'dist/test/stage-extension.js';

await build({
  absWorkingDir: root,
  entryPoints: ['test/e2e/harness/staged-extension.ts'],
  outfile: staging,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['esbuild'],
  plugins: [loadBesideBundle],
});
const { stageExtension } = createRequire(import.meta.url)(`${root}${staging}`);
const staged = stageExtension();
try {
  process.exitCode = await runTests({
    extensionDevelopmentPath: staged.folder,
    extensionTestsPath: staged.tests,
    launchArgs: [staged.workspace, '--disable-extensions', '--disable-workspace-trust'],
  });
} finally {
  staged.remove();
}
