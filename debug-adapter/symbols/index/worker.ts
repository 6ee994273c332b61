/** The thread that reads a large image: makes its index, keeps it on disk, and hands it over. */
import { parentPort, workerData } from 'node:worker_threads';
import { openDebugInfo } from '../debug-info.ts';
import { buildColumns, type ImageColumns } from './build.ts';
import { writeCached } from './cache.ts';

export interface IndexOrder {
  readonly path: string;
  /** Where to keep the index; nowhere when absent. */
  readonly file?: string;
}

export type IndexMessage =
  | { readonly type: 'progress'; readonly fraction: number }
  | { readonly type: 'done'; readonly columns: ImageColumns; readonly problems: readonly string[] };

function work(order: IndexOrder): void {
  const info = openDebugInfo(order.path);
  const columns = buildColumns(info, (fraction) => send({ type: 'progress', fraction }));
  const { names, sources } = columns;
  const memory = [names.buckets, names.hashes, names.starts, names.tags, names.dies, sources.starts, sources.units];
  if (order.file) writeCached(order.file, info, columns);
  info.close();
  send(
    { type: 'done', columns, problems: info.problems },
    memory.map(({ buffer }) => buffer as ArrayBuffer),
  );
}

const send = (message: IndexMessage, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort?.postMessage(message, transfer);

work(workerData);
