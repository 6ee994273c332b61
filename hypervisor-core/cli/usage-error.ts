/** A command line that cannot be followed. The message names the option and what it may be. */
export class UsageError extends Error {}
