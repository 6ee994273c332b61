/** When a window hears of a stop, and when what it shows in one place is painted anew after that. */
import type { Frame, Page } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** Milliseconds of the machine's clock, and the text that was painted. */
type Painted = readonly [time: number, text: string];

declare global {
  interface Window {
    ringsideStops?: number[];
    ringsidePainted?: Painted[];
  }
}

export class PaintTimes {
  private constructor(private readonly page: Page) {}

  /** Loads the window anew, and from then on hears what VS Code's extension host tells it. */
  static async of(ui: Workbench): Promise<PaintTimes> {
    await ui.page.addInitScript(hearStops);
    await ui.load(ui.page.url());
    return new PaintTimes(ui.page);
  }

  /** Looks at an element of the page, or of a frame in it. */
  async lookAt(where: Page | Frame, selector: string): Promise<PaintedPlace> {
    await where.evaluate(notePaints, selector);
    return new PaintedPlace(this.page, where);
  }
}

export class PaintedPlace {
  constructor(
    private readonly page: Page,
    private readonly where: Page | Frame,
  ) {}

  /** Milliseconds from `stopped` to the first paint of another text, and to the last; none where the text stays. */
  async after(stop: () => Promise<void>): Promise<{ first: number; last: number } | undefined> {
    const before = await this.where.evaluate(() => window.ringsidePainted?.splice(0).at(-1)?.[1]);
    await this.page.evaluate(() => window.ringsideStops?.splice(0));
    await stop();
    const stopped = await this.page.evaluate(() => window.ringsideStops?.[0]);
    const painted = (await this.where.evaluate(() => window.ringsidePainted)) ?? [];
    if (stopped === undefined) throw new Error('the window has heard of no stop');
    const other = painted
      .filter(([time, text], n) => time >= stopped && text !== (painted[n - 1]?.[1] ?? before))
      .map(([time]) => time - stopped);
    const [first, last] = [other[0], other.at(-1)];
    return first === undefined || last === undefined ? undefined : { first, last };
  }
}

/** Runs in the page before anything else does: VS Code's extension host speaks through a WebSocket. */
function hearStops(): void {
  if (window !== window.top) return;
  const stops: number[] = [];
  window.ringsideStops = stops;
  window.WebSocket = class extends WebSocket {
    constructor(...how: ConstructorParameters<typeof WebSocket>) {
      super(...how);
      this.addEventListener('message', async ({ data }) => {
        const now = Date.now();
        const text = data instanceof Blob ? await data.text() : new TextDecoder().decode(data);
        if (text.includes('"event":"stopped"')) stops.push(now);
      });
    }
  };
}

/** Runs in the page: notes the text of an element each time that a frame with a change of it has been painted. */
function notePaints(selector: string): void {
  const painted: Painted[] = [];
  window.ringsidePainted = painted;
  const element = document.querySelector(selector);
  if (!element) throw new Error(`there is no ${selector}`);
  let awaited = false;
  const note = () => {
    awaited = false;
    painted.push([Date.now(), element.textContent ?? '']);
  };
  new MutationObserver(() => {
    if (awaited) return;
    awaited = true;
    // A message comes after the paint for which the frame is made.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = note;
    requestAnimationFrame(() => port2.postMessage(undefined));
  }).observe(element, { subtree: true, childList: true, characterData: true, attributes: true });
}
