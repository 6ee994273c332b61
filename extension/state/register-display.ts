/** How registers are shown in this workspace: in which numbers, and which of them at the top. */
import { type Disposable, EventEmitter, l10n, type Memento, window } from 'vscode';
import { NUMBER_FORMATS, type NumberFormat } from '../novsc/register-numbers.ts';

const FORMAT = 'ringside.registers.format';
const PINNED = 'ringside.registers.pinned';

export class RegisterDisplay implements Disposable {
  readonly #changed = new EventEmitter<void>();

  readonly onDidChange = this.#changed.event;

  constructor(readonly memory: Memento) {}

  get format(): NumberFormat {
    const kept = this.memory.get<string>(FORMAT);
    return NUMBER_FORMATS.find((format) => format === kept) ?? 'hexadecimal';
  }

  /** Names, in the order in which they were pinned. */
  get pinned(): readonly string[] {
    return this.memory.get<readonly string[]>(PINNED) ?? [];
  }

  async pin(name: string, on: boolean): Promise<void> {
    const others = this.pinned.filter((one) => one !== name);
    await this.memory.update(PINNED, on ? [...others, name] : others);
    this.#changed.fire();
  }

  async chooseFormat(): Promise<void> {
    const items = NUMBER_FORMATS.map((format) => ({
      label: format.charAt(0).toUpperCase() + format.slice(1),
      ...(format === this.format && { description: 'shown now' }),
      format,
    }));
    const chosen = await window.showQuickPick(items, { title: l10n.t('Show Registers In') });
    if (!chosen) return;
    await this.memory.update(FORMAT, chosen.format);
    this.#changed.fire();
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
