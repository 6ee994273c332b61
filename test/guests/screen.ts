/** Kernels that draw on the framebuffer that their loader tells of: `test/guests/screen`, built by gcc. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Folder of the sources; tests run bundled in dist/test. */
const screenSources = join(__dirname, '../../test/guests/screen');

/** What such a kernel says by the debug-exit port. */
export const SCREEN_STATUS = { drawn: (0x10 << 1) | 1, noFramebuffer: (0x11 << 1) | 1 } as const;

/** Builds into `path`. One that does not leave goes on drawing, row by row, once it has drawn all. */
export function screenKernel(path: string, protocol: 'multiboot1' | 'multiboot2', { leaves = true } = {}): string {
  const code = ['-m32', '-O1', '-g', '-ffreestanding', '-fno-pic', '-fno-stack-protector', '-mgeneral-regs-only'];
  const link = ['-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none,--no-warn-rwx-segments'];
  const defines = [`-D${protocol.toUpperCase()}`, ...(leaves ? [] : ['-DFOREVER'])];
  const sources = ['start.S', 'draw.c'].map((file) => join(screenSources, file));
  execFileSync('gcc', [...code, ...defines, ...link, '-T', join(screenSources, 'screen.ld'), ...sources, '-o', path]);
  return path;
}

/** The pixel at a place of what they draw first, as the framebuffer has it. */
export const drawnPixel = (x: number, y: number): number => ((x & 0xff) << 16) | ((y & 0xff) << 8);
