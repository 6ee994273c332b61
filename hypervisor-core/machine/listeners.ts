/** The listeners to one event. */
import type { Disposable } from './api.ts';

export class Listeners<Event> {
  readonly #listeners = new Set<(event: Event) => void>();

  add(listener: (event: Event) => void): Disposable {
    // Wrapped, so that a function added twice is called twice and taken away once.
    const entry = (event: Event) => listener(event);
    this.#listeners.add(entry);
    return { dispose: () => void this.#listeners.delete(entry) };
  }

  emit(event: Event): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
