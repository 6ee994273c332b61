/**
 * Every error that a user can meet in a session: one factory each, with the number that DAP shows and what to do next.
 * Numbers are never reused. Handlers throw these; {@link describeError} turns anything else into one of them.
 */
import { ConnectionError, ResponseError } from 'vscode-jsonrpc';
import { ExpressionError } from '../expressions/api.ts';
import { LinuxError } from '../linux/linux-error.ts';
import { SymbolFileError } from '../symbols/api.ts';
import { TargetError } from '../target/target.ts';

/** The guest ended, or was lost, while an operation waited for it to stop. */
export class GuestGone extends Error {}

export class UserError extends Error {
  constructor(
    readonly id: number,
    message: string,
    /** False for what a view asks for by itself: VS Code then shows no dialog. */
    readonly show: boolean,
  ) {
    super(message);
  }
}

const shown = (id: number, message: string) => new UserError(id, message, true);
const quiet = (id: number, message: string) => new UserError(id, message, false);

// ---------------------------------------------------------------- launch.json

export const wrongAttribute = (name: string, problem: string) => shown(1001, `launch.json: "${name}" ${problem}.`);
export const missingAttribute = (name: string, meaning: string) =>
  shown(1002, `launch.json: "${name}" is missing. Set it to ${meaning}.`);
export const noSuchFile = (attribute: string, path: string, reason: string) =>
  shown(
    1003,
    `launch.json: "${attribute}": cannot read ${path}: ${reason}. Check the path, or build the kernel first.`,
  );
export const unusableImage = (attribute: string, path: string, reason: string) =>
  shown(
    1004,
    `launch.json: "${attribute}": ${path} cannot be used: ${reason}. ${
      attribute === 'symbols'
        ? 'Symbols are an x86 ELF file, a System.map or a copy of /proc/kallsyms.'
        : 'A kernel is an ELF64 x86-64 executable or a multiboot ELF32.'
    }`,
  );
export const tooMuchMemory = (asked: string, available: string) =>
  shown(1005, `launch.json: "memory": ${asked} is more than this machine has (${available}). Ask for less.`);

// ---------------------------------------------------------------- the core

export const coreNotStarted = (reason: string) => shown(1101, `The guest did not start: ${reason}`);
export const notAttached = (reason: string) =>
  shown(
    1102,
    `Not attached: ${reason}. Is the guest started with a GDB stub, as by qemu-system-x86_64 -gdb tcp::1234?`,
  );

// ---------------------------------------------------------------- order and state

export const alreadyLaunched = () => shown(1201, 'This session has a guest already. Stop it, or use restart.');
export const notLaunched = () => quiet(1202, 'There is no guest yet: launch comes first.');
export const guestRunning = () => quiet(1203, 'The guest is running. Pause it to look inside.');
export const guestStopped = () => quiet(1204, 'The guest is stopped already.');
export const guestEnded = () => quiet(1205, 'The guest has ended. Restart the session to boot it again.');
export const noSuchThread = (id: unknown) => quiet(1206, `There is no vCPU with id ${id}.`);
export const staleReference = (what: string) =>
  quiet(1207, `This ${what} belongs to an earlier stop. Refresh the view.`);
export const noCaller = () => shown(1208, 'There is no caller to step out to: this is the outermost frame known.');

// ---------------------------------------------------------------- requests

export const unknownRequest = (name: string) => quiet(1301, `Ringside does not know the request "${name}".`);
export const badArgument = (name: string, problem: string) => quiet(1302, `Request argument "${name}" ${problem}.`);
export const notWritable = (name: string) => shown(1303, `${name} cannot be changed.`);
export const noSuchVariable = (name: string) => shown(1304, `There is no variable "${name}" here.`);
export const noSuchRegister = (name: string) => shown(1306, `This vCPU has no register "${name}".`);
export const badNumber = (text: string) => shown(1307, `"${text}" is not a number: write 42, -1, 0x2a or 0b101010.`);
export const noSource = (what: string) =>
  quiet(1308, `The source of ${what} was not found. Set "sourceMap" in launch.json.`);
export const onlyOurCore = (what: string) => quiet(1309, `${what} can only be seen on Ringside's own core.`);
const badExpression = (message: string) => quiet(1310, message);
export const targetRefused = (message: string) => shown(1311, message);
const coreRefused = (message: string) => quiet(1313, message);
export const fileNotWritten = (path: string, reason: string) => shown(1315, `${path} was not written: ${reason}.`);
const linuxUnread = (message: string) => quiet(1314, message);
export const disassemblyFailed = (reason: string) => quiet(1312, `Cannot disassemble here: ${reason}`);

/** A defect of ours; the message carries what a bug report needs. */
const internalError = (error: unknown) =>
  quiet(1900, `Ringside met an error of its own: ${error instanceof Error ? error.message : String(error)}`);

export function describeError(error: unknown): UserError {
  if (error instanceof UserError) return error;
  if (error instanceof ExpressionError) return badExpression(error.message);
  if (error instanceof LinuxError) return linuxUnread(error.message);
  if (error instanceof TargetError) return targetRefused(error.message);
  if (error instanceof ResponseError) return coreRefused(error.message);
  if (error instanceof ConnectionError || error instanceof GuestGone) return guestEnded();
  if (error instanceof SymbolFileError) return unusableImage('program', 'the file', error.message);
  return internalError(error);
}
