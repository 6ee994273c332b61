/** Finds guest kernels in the workspace by their first bytes. */
import { open } from 'node:fs/promises';
import type { CancellationToken, WorkspaceFolder } from 'vscode';
import { candidateFiles } from '../novsc/candidate-files.ts';
import { KERNEL_PROBE_BYTES, looksLikeKernel } from '../novsc/elf.ts';
import { linuxBuildIn } from '../novsc/linux-build.ts';

const AT_A_TIME = 32;

interface Kernel {
  readonly path: string;
  readonly time: number;
}

/** Paths of x86 kernels below `folder`, the newest first; of one in which Linux was built, its vmlinux alone. */
export async function findKernels(folder: WorkspaceFolder, token?: CancellationToken): Promise<string[]> {
  // In its build are other files that look like kernels, such as the one that unpacks it.
  const linux = await linuxBuildIn(folder.uri.fsPath);
  if (linux) return [linux.vmlinux];
  const found: Kernel[] = [];
  let group: Promise<Kernel | undefined>[] = [];
  const finish = async () => {
    for (const kernel of await Promise.all(group)) if (kernel) found.push(kernel);
    group = [];
  };
  for await (const path of candidateFiles(folder.uri.fsPath)) {
    if (token?.isCancellationRequested) break;
    group.push(probe(path));
    if (group.length === AT_A_TIME) await finish();
  }
  await finish();
  return found.sort((a, b) => b.time - a.time || a.path.localeCompare(b.path)).map((kernel) => kernel.path);
}

/** A file that cannot be read is no kernel to offer. */
async function probe(path: string): Promise<Kernel | undefined> {
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
