/** How the debug adapter and `ringside doctor` are started: with VS Code's own runtime, as users may have no node. */
import { type DebugAdapterDescriptorFactory, DebugAdapterExecutable, type ExtensionContext, l10n, Uri } from 'vscode';

export const runtime = { command: process.execPath, env: { ELECTRON_RUN_AS_NODE: '1' } } as const;

/** The command-line program in the installed extension. */
export function ringsideProgram(context: ExtensionContext): string {
  return Uri.joinPath(context.extensionUri, 'dist', 'ringside.js').fsPath;
}

export function adapterFactory(context: ExtensionContext): DebugAdapterDescriptorFactory {
  return {
    createDebugAdapterDescriptor: () =>
      new DebugAdapterExecutable(runtime.command, [ringsideProgram(context), 'dap'], {
        env: { ...runtime.env, ...(l10n.uri && { RINGSIDE_L10N: l10n.uri.fsPath }) },
      }),
  };
}
