/** The HTML page around a webview's script: nothing is loaded but our own files. */
import { randomBytes } from 'node:crypto';
import { Uri, type Webview } from 'vscode';

/** @param name of the script and the style sheet below `root` */
export function webviewPage(webview: Webview, root: Uri, name: string, title: string): string {
  const nonce = randomBytes(16).toString('base64');
  const script = webview.asWebviewUri(Uri.joinPath(root, `${name}.js`));
  const style = webview.asWebviewUri(Uri.joinPath(root, `${name}.css`));
  const policy = `default-src 'none'; style-src ${webview.cspSource} 'unsafe-inline'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<link rel="stylesheet" href="${style}">
</head>
<body>
<div id="root"></div>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}
