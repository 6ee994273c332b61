/**
 * Every error that a user can meet in a session: one factory each, with the number that DAP shows and what to do next.
 * Numbers are never reused. Handlers throw these; {@link describeError} turns anything else into one of them.
 */
import * as l10n from '@vscode/l10n';
import { ConnectionError, ResponseError } from 'vscode-jsonrpc';
import { ExpressionError } from '../expressions/api.ts';
import { LinuxError } from '../linux/linux-error.ts';
import { SymbolFileError } from '../symbols/api.ts';
import { TargetError } from '../target/target.ts';
import { XenError } from '../xen/xen-memory.ts';

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

export const wrongAttribute = (name: string, problem: string) =>
  shown(1001, l10n.t('launch.json: "{0}" {1}.', name, problem));
export const missingAttribute = (name: string, meaning: string) =>
  shown(1002, l10n.t('launch.json: "{0}" is missing. Set it to {1}.', name, meaning));
export const noSuchFile = (attribute: string, path: string, reason: string) =>
  shown(
    1003,
    l10n.t(
      'launch.json: "{0}": cannot read {1}: {2}. Check the path, or build the kernel first.',
      attribute,
      path,
      reason,
    ),
  );
export const unusableImage = (attribute: string, path: string, reason: string) =>
  shown(
    1004,
    l10n.t(
      'launch.json: "{0}": {1} cannot be used: {2}. {3}',
      attribute,
      path,
      reason,
      attribute === 'symbols'
        ? l10n.t('Symbols are an x86 ELF file, a System.map or a copy of /proc/kallsyms.')
        : l10n.t('A kernel is an ELF64 x86-64 executable or a multiboot ELF32.'),
    ),
  );
export const tooMuchMemory = (asked: string, available: string) =>
  shown(
    1005,
    l10n.t('launch.json: "memory": {0} is more than this machine has ({1}). Ask for less.', asked, available),
  );

// ---------------------------------------------------------------- the core

export const coreNotStarted = (reason: string) => shown(1101, l10n.t('The guest did not start: {0}', reason));
export const notAttached = (reason: string) =>
  shown(
    1102,
    l10n.t('Not attached: {0}. Is the guest started with a GDB stub, as by qemu-system-x86_64 -gdb tcp::1234?', reason),
  );

// ---------------------------------------------------------------- order and state

export const alreadyLaunched = () => shown(1201, l10n.t('This session has a guest already. Stop it, or use restart.'));
export const notLaunched = () => quiet(1202, l10n.t('There is no guest yet: launch comes first.'));
export const guestRunning = () => quiet(1203, l10n.t('The guest is running. Pause it to look inside.'));
export const guestStopped = () => quiet(1204, l10n.t('The guest is stopped already.'));
export const guestEnded = () => quiet(1205, l10n.t('The guest has ended. Restart the session to boot it again.'));
export const noSuchThread = (id: unknown) => quiet(1206, l10n.t('There is no vCPU with id {0}.', String(id)));
export const staleReference = (what: string) =>
  quiet(1207, l10n.t('This {0} belongs to an earlier stop. Refresh the view.', what));
export const noCaller = () =>
  shown(1208, l10n.t('There is no caller to step out to: this is the outermost frame known.'));

// ---------------------------------------------------------------- requests

export const unknownRequest = (name: string) => quiet(1301, l10n.t('Ringside does not know the request "{0}".', name));
export const badArgument = (name: string, problem: string) =>
  quiet(1302, l10n.t('Request argument "{0}" {1}.', name, problem));
export const notWritable = (name: string) => shown(1303, l10n.t('{0} cannot be changed.', name));
export const noSuchVariable = (name: string) => shown(1304, l10n.t('There is no variable "{0}" here.', name));
export const noSuchRegister = (name: string) => shown(1306, l10n.t('This vCPU has no register "{0}".', name));
export const badNumber = (text: string) =>
  shown(1307, l10n.t('"{0}" is not a number: write 42, -1, 0x2a or 0b101010.', text));
export const noSource = (what: string) =>
  quiet(1308, l10n.t('The source of {0} was not found. Set "sourceMap" in launch.json.', what));
export const onlyOurCore = (what: string) => quiet(1309, l10n.t("{0} can only be seen on Ringside's own core.", what));
export const noFramebuffer = () =>
  quiet(
    1316,
    l10n.t(
      'The guest has no framebuffer. Set "framebuffer": "1024x768" in launch.json to give it one, of which multiboot kernels and Linux are told.',
    ),
  );
const badExpression = (message: string) => quiet(1310, message);
export const targetRefused = (message: string) => shown(1311, message);
const coreRefused = (message: string) => quiet(1313, message);
export const fileNotWritten = (path: string, reason: string) =>
  shown(1315, l10n.t('{0} was not written: {1}.', path, reason));
/** What a Linux, or Xen, in the guest does not tell. */
const guestUnread = (message: string) => quiet(1314, message);
export const disassemblyFailed = (reason: string) => quiet(1312, l10n.t('Cannot disassemble here: {0}', reason));

/** A defect of ours; the message carries what a bug report needs. */
const internalError = (error: unknown) =>
  quiet(1900, l10n.t('Ringside met an error of its own: {0}', error instanceof Error ? error.message : String(error)));

export function describeError(error: unknown): UserError {
  if (error instanceof UserError) return error;
  if (error instanceof ExpressionError) return badExpression(error.message);
  if (error instanceof LinuxError || error instanceof XenError) return guestUnread(error.message);
  if (error instanceof TargetError) return targetRefused(error.message);
  if (error instanceof ResponseError) return coreRefused(error.message);
  if (error instanceof ConnectionError || error instanceof GuestGone) return guestEnded();
  if (error instanceof SymbolFileError) return unusableImage('program', 'the file', error.message);
  return internalError(error);
}
