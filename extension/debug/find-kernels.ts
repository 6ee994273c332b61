/** Finds guest kernels in the workspace by their first bytes. */
import { open } from 'node:fs/promises';
import { type CancellationToken, RelativePattern, type WorkspaceFolder, workspace } from 'vscode';
import { KERNEL_PROBE_BYTES, looksLikeKernel } from '../novsc/elf.ts';

/** A kernel's file has no name ending of its own: these are left out because they are many and are never one. */
const NEVER =
  '**/{node_modules,.git,.vscode,.cache,*.{c,h,S,s,o,a,d,cpp,hpp,rs,py,js,ts,json,md,txt,html,css,png,svg,map,log,ld,mk,yml,yaml,toml,sh,cmd,gz,xz,zip,rlib,rmeta,so,ko}}';
const MAX_FILES = 20_000;
const AT_A_TIME = 32;

/** Paths of x86 kernels below `folder`, the newest first. */
export async function findKernels(folder: WorkspaceFolder, token?: CancellationToken): Promise<string[]> {
  const files = await workspace.findFiles(new RelativePattern(folder, '**/*'), NEVER, MAX_FILES, token);
  const found: { path: string; time: number }[] = [];
  for (let start = 0; start < files.length && !token?.isCancellationRequested; start += AT_A_TIME) {
    const group = files.slice(start, start + AT_A_TIME).map((file) => probe(file.fsPath));
    for (const kernel of await Promise.all(group)) if (kernel) found.push(kernel);
  }
  return found.sort((a, b) => b.time - a.time || a.path.localeCompare(b.path)).map((kernel) => kernel.path);
}

/** A file that cannot be read is no kernel to offer. */
async function probe(path: string): Promise<{ path: string; time: number } | undefined> {
  try {
    const file = await open(path);
    try {
      const { isFile, mtimeMs } = await file.stat().then((stat) => ({ isFile: stat.isFile(), mtimeMs: stat.mtimeMs }));
      if (!isFile) return undefined;
      const head = Buffer.alloc(KERNEL_PROBE_BYTES);
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      return looksLikeKernel(head.subarray(0, bytesRead)) ? { path, time: mtimeMs } : undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
