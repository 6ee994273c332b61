/** What this kernel has not, or guest memory does not give; `message` is fit to be shown. */
export class LinuxError extends Error {}
