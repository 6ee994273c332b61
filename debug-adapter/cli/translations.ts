/** The user's language: messages are looked up in the bundle that VS Code has for it. */
import * as l10n from '@vscode/l10n';

/** Names the bundle's file in the environment of the adapter. */
const VARIABLE = 'RINGSIDE_L10N';

/** A bundle that is missing or damaged leaves messages in English. */
export function loadTranslations(): void {
  const fsPath = process.env[VARIABLE];
  if (!fsPath) return;
  try {
    l10n.config({ fsPath });
  } catch (error) {
    process.stderr.write(`ringside: ${fsPath}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
