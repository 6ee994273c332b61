/** The thread that reads what is large: makes the index of an image and keeps it on disk, or reads a text of symbols. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { SymbolFileError } from '../api.ts';
import { openDebugInfo } from '../debug-info.ts';
import { type MapColumns, readSymbolMap } from '../symbol-map.ts';
import { buildColumns, type ImageColumns } from './build.ts';
import { writeCached } from './cache.ts';

export type IndexOrder =
  | {
      readonly kind: 'image';
      readonly path: string;
      /** Where to keep the index; nowhere when absent. */
      readonly file?: string;
    }
  | { readonly kind: 'map'; readonly path: string };

export type IndexMessage =
  | { readonly type: 'progress'; readonly fraction: number }
  | { readonly type: 'done'; readonly columns: ImageColumns; readonly problems: readonly string[] }
  | { readonly type: 'map'; readonly map: MapColumns }
  | { readonly type: 'refused'; readonly message: string };

function readImage({ path, file }: Extract<IndexOrder, { kind: 'image' }>): void {
  const info = openDebugInfo(path);
  const columns = buildColumns(info, (fraction) => send({ type: 'progress', fraction }));
  const { names, sources } = columns;
  const memory = [names.buckets, names.hashes, names.starts, names.tags, names.dies, sources.starts, sources.units];
  if (file) writeCached(file, info, columns);
  info.close();
  send({ type: 'done', columns, problems: info.problems }, memory);
}

function readMap(path: string): void {
  try {
    const map = readSymbolMap(readFileSync(path), path);
    const { nameAt, distance, size, info, section } = map.columns;
    send({ type: 'map', map }, [map.bytes, map.byAddress, nameAt, distance, size, info, section]);
  } catch (error) {
    if (!(error instanceof SymbolFileError)) throw error;
    send({ type: 'refused', message: error.message });
  }
}

/** @param memory What is handed over without a copy. */
const send = (message: IndexMessage, memory: readonly ArrayBufferView[] = []): void =>
  parentPort?.postMessage(message, [...new Set(memory.map(({ buffer }) => buffer as ArrayBuffer))]);

const order: IndexOrder = workerData;
if (order.kind === 'map') readMap(order.path);
else readImage(order);
