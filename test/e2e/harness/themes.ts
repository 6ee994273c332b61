/** Name, and the classes that VS Code gives the window and the body of a webview, which gets its colours later. */
export const themes = [
  ['Light Modern', 'vs', 'vscode-light'],
  ['Dark Modern', 'vs-dark', 'vscode-dark'],
  ['Dark High Contrast', 'hc-black', 'vscode-high-contrast'],
] as const;
