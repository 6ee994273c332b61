/** The bridge that VS Code puts into every webview. */
interface VsCodeApi<Out> {
  postMessage(message: Out): void;
}

declare function acquireVsCodeApi<Out>(): VsCodeApi<Out>;

/** May be called once a page. */
export function connect<Out, In>(receive: (message: In) => void): (message: Out) => void {
  const api = acquireVsCodeApi<Out>();
  window.addEventListener('message', (event: MessageEvent<In>) => receive(event.data));
  return (message) => api.postMessage(message);
}
