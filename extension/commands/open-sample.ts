/** `Ringside: Open Sample Guest`: puts the prebuilt sample guest and its sources into a folder and opens it. */
import { homedir } from 'node:os';
import { commands, type ExtensionContext, FileType, l10n, Uri, window, workspace } from 'vscode';

const FOLDER = 'ringside-sample';

export async function openSample(context: ExtensionContext): Promise<void> {
  const picked = await window.showOpenDialog({
    title: l10n.t('Where to put the folder {0}', FOLDER),
    openLabel: 'Put the Sample Guest Here',
    canSelectFiles: false,
    canSelectFolders: true,
    defaultUri: workspace.workspaceFolders?.[0]?.uri ?? Uri.file(homedir()),
  });
  const parent = picked?.[0];
  if (!parent) return;
  const folder = await copySample(context, parent);
  await commands.executeCommand('vscode.openFolder', folder, {
    forceNewWindow: workspace.workspaceFolders !== undefined,
  });
}

/** Copies into a new folder below `parent` and returns it; files that the user has there already stay as they are. */
async function copySample(context: ExtensionContext, parent: Uri): Promise<Uri> {
  const folder = Uri.joinPath(parent, FOLDER);
  await workspace.fs.createDirectory(folder);
  for (const source of ['media/sample', 'test/guests/sample']) {
    await copyMissing(Uri.joinPath(context.extensionUri, source), folder);
  }
  return folder;
}

async function copyMissing(from: Uri, to: Uri): Promise<void> {
  await workspace.fs.createDirectory(to);
  const there = new Set((await workspace.fs.readDirectory(to)).map(([name]) => name));
  for (const [name, type] of await workspace.fs.readDirectory(from)) {
    const [source, target] = [Uri.joinPath(from, name), Uri.joinPath(to, name)];
    if (type === FileType.Directory) await copyMissing(source, target);
    else if (!there.has(name)) await workspace.fs.copy(source, target);
  }
}
