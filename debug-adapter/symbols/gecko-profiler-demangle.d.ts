/** What the package's own entry does for a bundler that loads WebAssembly, in parts. */
declare module 'gecko-profiler-demangle/index_bg.js' {
  export function __wbg_set_wasm(exports: unknown): void;
  /** The name as it stands where no scheme fits. */
  export function demangle_any(name: string): string;
}
