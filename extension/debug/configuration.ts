/** Debug configurations: F5 without a launch.json, the checks of one that exists, and what "Add Configuration" offers. */
import { access, constants } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import {
  type CancellationToken,
  commands,
  type DebugConfiguration,
  type DebugConfigurationProvider,
  l10n,
  type WorkspaceFolder,
  window,
  workspace,
} from 'vscode';
import { checkLaunch } from '../novsc/launch-check.ts';
import { linuxAttributes, linuxBuildOf } from '../novsc/linux-build.ts';
import { findKernels } from './find-kernels.ts';
import { DEBUG_TYPE } from './ringside-session.ts';

const PATH_ATTRIBUTES = ['program', 'firmware', 'initrd', 'disk', 'symbols'] as const;
/** An `initrd` that the debug adapter makes itself. */
const BUSYBOX = 'busybox';

export class KvmConfigurationProvider implements DebugConfigurationProvider {
  /** For a new launch.json and for the Run and Debug drop-down: one configuration for each kernel of the folder. */
  async provideDebugConfigurations(
    folder: WorkspaceFolder | undefined,
    token?: CancellationToken,
  ): Promise<DebugConfiguration[]> {
    const kernels = folder ? await findKernels(folder, token) : [];
    return folder ? Promise.all(kernels.map((kernel) => configurationFor(kernel, folder))) : [];
  }

  /** F5 with no launch.json arrives here without a program. */
  async resolveDebugConfiguration(
    folder: WorkspaceFolder | undefined,
    configuration: DebugConfiguration,
    token?: CancellationToken,
  ): Promise<DebugConfiguration | undefined> {
    if (configuration.type || configuration.request || configuration.name) return configuration;
    const within = folder ?? workspace.workspaceFolders?.[0];
    const program = await chooseKernel(within, token);
    return program === undefined || !within ? undefined : configurationFor(program, within);
  }

  /** Refuses what cannot start, naming the attribute, before a process is made. */
  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: WorkspaceFolder | undefined,
    configuration: DebugConfiguration,
  ): Promise<DebugConfiguration | undefined | null> {
    if (!workspace.isTrusted) {
      await window.showErrorMessage(l10n.t('Ringside starts guests only in a trusted workspace.'), { modal: true });
      return undefined;
    }
    const folders = (workspace.workspaceFolders ?? []).map(({ uri }) => uri.fsPath);
    const resolved: DebugConfiguration = { sourceFolders: folders, ...configuration };
    if (configuration.request !== 'launch' && configuration.request !== 'attach') {
      return refuse('request', 'must be "launch" or "attach"');
    }
    const problem = checkLaunch(resolved)[0];
    if (problem) return refuse(problem.attribute, problem.message);
    for (const attribute of PATH_ATTRIBUTES) {
      const path: unknown = resolved[attribute];
      if (typeof path !== 'string' || (attribute === 'initrd' && path === BUSYBOX)) continue;
      resolved[attribute] = absolute(path, folder);
      const unreadable = await whyUnreadable(resolved[attribute]);
      if (unreadable) return refuse(attribute, `${resolved[attribute]}: ${unreadable}`);
    }
    const modules: readonly string[] | undefined = resolved['modules'];
    if (modules) {
      resolved['modules'] = modules.map((module) => absolute(module.trim(), folder));
      for (const module of resolved['modules']) {
        const [path = ''] = module.split(' ');
        const unreadable = await whyUnreadable(path);
        if (unreadable) return refuse('modules', `${path}: ${unreadable}`);
      }
    }
    return resolved;
  }
}

async function configurationFor(kernel: string, folder: WorkspaceFolder): Promise<DebugConfiguration> {
  const top = folder.uri.fsPath;
  const written = (path: string) =>
    path.startsWith(`${top}/`) ? `\${workspaceFolder}/${path.slice(top.length + 1)}` : path;
  const linux = await linuxBuildOf(kernel);
  return {
    type: DEBUG_TYPE,
    request: 'launch',
    ...(linux
      ? { name: 'Boot Linux', ...linuxAttributes(linux, written) }
      : { name: `Boot ${basename(kernel)}`, program: written(kernel) }),
  };
}

/** The kernel of the folder: the only one, or the one that the user picks; undefined when there is none. */
export async function chooseKernel(
  folder: WorkspaceFolder | undefined,
  token?: CancellationToken,
): Promise<string | undefined> {
  const kernels = folder ? await findKernels(folder, token) : [];
  if (kernels.length === 0) {
    void offerSample(folder);
    return undefined;
  }
  if (kernels.length === 1) return kernels[0];
  const picked = await window.showQuickPick(
    kernels.map((kernel) => ({ label: basename(kernel), description: workspace.asRelativePath(kernel), kernel })),
    { title: l10n.t('Boot Which Kernel on KVM?'), matchOnDescription: true },
    token,
  );
  return picked?.kernel;
}

async function offerSample(folder: WorkspaceFolder | undefined): Promise<void> {
  const sample = l10n.t('Open Sample Guest');
  const next = l10n.t('Build one, name it in launch.json, or try the sample guest.');
  const none = folder
    ? l10n.t('Ringside found no x86 kernel (an ELF executable) in {0}.', folder.name)
    : l10n.t('Ringside found no x86 kernel (an ELF executable), because no folder is open.');
  const answer = await window.showInformationMessage(`${none} ${next}`, sample);
  if (answer === sample) await commands.executeCommand('ringside.openSample');
}

const absolute = (path: string, folder: WorkspaceFolder | undefined) =>
  isAbsolute(path) || !folder ? path : join(folder.uri.fsPath, path);

async function whyUnreadable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return l10n.t('there is no such file. Build the kernel first, or correct the path');
    if (code === 'EACCES') return l10n.t('you may not read this file');
    return String(code ?? error);
  }
}

/** `null` makes VS Code open launch.json, which is where the mistake is. */
async function refuse(attribute: string, message: string): Promise<undefined | null> {
  const open = l10n.t('Open launch.json');
  const answer = await window.showErrorMessage(
    l10n.t('launch.json, "{0}": {1}.', attribute, message),
    { modal: true },
    open,
  );
  return answer === open ? null : undefined;
}
