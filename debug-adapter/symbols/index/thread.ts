/** Starts threads that read large files, and hands over what they have read. */
import { Worker } from 'node:worker_threads';
import { SymbolFileError } from '../api.ts';
import { besideBundle } from '../beside-bundle.ts';
import type { MapColumns } from '../symbol-map.ts';
import type { IndexMessage, IndexOrder } from './worker.ts';

export function startThread(order: IndexOrder, onMessage: (message: IndexMessage) => void): Worker {
  const worker = new Worker(besideBundle('symbol-index.js'), { workerData: order, name: 'symbol index' });
  worker.unref();
  return worker.on('message', onMessage);
}

/** Reads a text of symbols. Rejects with {@link SymbolFileError} for one that cannot be used. */
export function mapInThread(path: string): Promise<MapColumns> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) => reject(new SymbolFileError(message));
    const worker = startThread({ kind: 'map', path }, (message) => {
      if (message.type === 'map') resolve(message.map);
      else if (message.type === 'refused') fail(message.message);
    });
    // Somebody waits for this one.
    worker.ref();
    worker.on('error', ({ message }) => fail(`${path} cannot be read: ${message}`));
    worker.on('exit', () => fail(`${path} was not read to its end`));
  });
}
