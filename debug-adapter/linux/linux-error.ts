/** What this kernel has not, or guest memory does not give; `message` is fit to be shown. */
export class LinuxError extends Error {}

/** What `read` gives; undefined where the guest does not tell. */
export async function orNothing<Result>(read: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LinuxError) return undefined;
    throw error;
  }
}
