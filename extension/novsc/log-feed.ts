/** Joins a log with its table in a webview: answers what the user does there, and sends what is to be seen. */
import type { FromLog, LogDetails, LogMessage } from './log-messages.ts';
import { LogModel, type LogOptions, type Run } from './log-model.ts';
import { type ExportFormat, exportRows, nextSort } from './table.ts';

/** Rows that are sent before the page has said how many it has room for. */
const FIRST_WINDOW = 60;
const LARGEST_WINDOW = 500;

export interface LogFeedOptions<Item> extends LogOptions<Item> {
  readonly log: string;
  /** How many there are, in words. */
  summary(model: LogModel<Item>): string;
  /** What to say where there is none. */
  note(): string;
  facts(run: Run<Item>): LogDetails['facts'];
  actions(run: Run<Item>): LogDetails['actions'];
  act(action: string, run: Run<Item>): void;
  save(format: ExportFormat, text: string): void;
  send(message: LogMessage): void;
}

export class LogFeed<Item> {
  readonly model: LogModel<Item>;
  readonly #options: LogFeedOptions<Item>;
  #window = { first: 0, count: FIRST_WINDOW, follow: true };
  /** Place in the log of the chosen item. */
  #chosen: number | undefined;

  constructor(options: LogFeedOptions<Item>) {
    this.#options = options;
    this.model = new LogModel(options, () => this.show());
  }

  /** Sends what is to be seen now. */
  show(): void {
    const { model } = this;
    const { log, columns, repeats } = this.#options;
    const { rows, sort } = model;
    const { count, follow } = this.#window;
    const last = Math.max(0, rows.length - count);
    const first = follow && !sort ? last : Math.min(this.#window.first, last);
    const details = this.#details();
    this.#options.send({
      kind: 'log',
      log,
      count: rows.length,
      first,
      rows: rows
        .slice(first, first + count)
        .map((run) => ({ id: run.at, cells: columns.map((column) => column.text(run)) })),
      summary: this.#options.summary(model),
      note: model.kept > 0 ? 'No row matches. Search for less.' : this.#options.note(),
      ...(sort && { sort }),
      ...(repeats && { merging: model.merging }),
      ...(details && { details }),
    });
  }

  receive(message: FromLog): void {
    const { model } = this;
    const { columns, act, save } = this.#options;
    switch (message.kind) {
      case 'window':
        this.#window = { ...message, count: Math.min(message.count, LARGEST_WINDOW) };
        this.show();
        break;
      case 'search':
        model.searchFor(message.text);
        break;
      case 'sort':
        model.sortBy(nextSort(model.sort, message.key));
        break;
      case 'merge':
        model.merge(message.on);
        break;
      case 'choose':
        this.#chosen = model.rows[message.row]?.at;
        this.show();
        break;
      case 'act': {
        const run = model.rows.find(({ at }) => at === this.#chosen);
        if (run) act(message.action, run);
        break;
      }
      case 'save':
        save(message.format, exportRows(model.rows, columns, message.format));
    }
  }

  dispose(): void {
    this.model.dispose();
  }

  #details(): LogDetails | undefined {
    if (this.#chosen === undefined) return undefined;
    const row = this.model.rows.findIndex(({ at }) => at === this.#chosen);
    const run = this.model.rows[row];
    return run && { id: run.at, row, facts: this.#options.facts(run), actions: this.#options.actions(run) };
  }
}
