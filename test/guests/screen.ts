/** Kernels that draw on the framebuffer that their loader tells of: `test/guests/screen`, built by gcc. */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of the sources; tests run bundled in dist/test. */
const SOURCES = join(__dirname, '../../test/guests/screen');

/** What such a kernel says by the debug-exit port. */
export const SCREEN_STATUS = { drawn: (0x10 << 1) | 1, noFramebuffer: (0x11 << 1) | 1 } as const;

/** Builds into `path`. */
export function screenKernel(path: string, protocol: 'multiboot1' | 'multiboot2'): string {
  return build(SOURCES, path, [`-D${protocol.toUpperCase()}`]);
}

/**
 * Copies the sources into a folder and builds `screen.elf` there, which does not leave: once it has drawn all it draws again and
 * again, row by row. Gives its path, and the line of draw.c that it comes by once, in between.
 */
export function drawingKernel(folder: string): { readonly program: string; readonly drawn: number } {
  cpSync(SOURCES, folder, { recursive: true });
  const lines = readFileSync(join(folder, 'draw.c'), 'utf8').split('\n');
  const drawn = lines.findIndex((line) => line.endsWith('//#MARKER drawn')) + 1;
  return { program: build(folder, join(folder, 'screen.elf'), ['-DMULTIBOOT1', '-DFOREVER']), drawn };
}

function build(sources: string, path: string, defines: readonly string[]): string {
  const code = ['-m32', '-O1', '-g', '-ffreestanding', '-fno-pic', '-fno-stack-protector', '-mgeneral-regs-only'];
  const link = ['-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none,--no-warn-rwx-segments'];
  const [layout, ...files] = ['screen.ld', 'start.S', 'draw.c'].map((file) => join(sources, file));
  execFileSync('gcc', [...code, ...defines, ...link, '-T', layout ?? '', ...files, '-o', path]);
  return path;
}

/** The pixel at a place of what they draw first, as the framebuffer has it. */
export const drawnPixel = (x: number, y: number): number => ((x & 0xff) << 16) | ((y & 0xff) << 8);
