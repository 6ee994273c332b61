/** What benches run, and how they start a stub on it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sampleKernel } from '../guests/markers.ts';

/** cli; xor eax, eax; loop: inc eax; nop; jmp loop */
const COUNTING = [0xfa, 0x66, 0x31, 0xc0, 0x66, 0x40, 0x90, 0xeb, 0xfb];

/** A boot sector that counts in EAX, in `folder`; its loop has three instructions. */
export function countingSector(folder: string): string {
  const image = join(folder, 'sector.img');
  const sector = new Uint8Array(512);
  sector.set(COUNTING);
  sector.set([0x55, 0xaa], 510);
  writeFileSync(image, sector);
  return image;
}

/** The sample kernel in `folder` as QEMU takes it: 32-bit, by multiboot. */
export function sampleByMultiboot(folder: string): string {
  const kernel = join(folder, 'sample-multiboot.elf');
  const entry = execFileSync('nm', [sampleKernel], { encoding: 'utf8' }).match(/^(\S+) \S start32$/m)?.[1];
  execFileSync('objcopy', ['-O', 'elf32-i386', '--set-start', `0x${entry}`, sampleKernel, kernel]);
  return kernel;
}

/** Runs a program that serves something on a socket, and `body` when the socket is there. */
export async function withServer<Result>(
  program: string,
  args: readonly string[],
  socket: string,
  body: () => Promise<Result> | Result,
): Promise<Result> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    while (!existsSync(socket)) await delay(20);
    return await body();
  } finally {
    child.kill();
    await ended;
  }
}
