/** What a person does in VS Code's window, as methods. Each waits for what it says and never for a time. */
import { basename } from 'node:path';
import {
  type Browser,
  type ConsoleMessage,
  chromium,
  type FrameLocator,
  type Locator,
  type Page,
} from 'playwright-core';
import { patience } from '../../patience.ts';
import options from '../../setup/chromium.json';

const TIMEOUT_MS = patience(60_000);
/** How long to look at a list that does not change while it is open. */
const LOOK_MS = 1000;

/** Starts Chromium, or drives the one that RINGSIDE_BROWSER names, where this is an emulated host. */
export function startBrowser(): Promise<Browser> {
  const endpoint = process.env['RINGSIDE_BROWSER'];
  if (!endpoint) return chromium.launch(options);
  // It listens on its machine's loopback interface, and refuses whoever calls it by another name.
  return chromium.connect(endpoint, { headers: { Host: `127.0.0.1:${new URL(endpoint).port}` } });
}

export class Workbench {
  private constructor(readonly page: Page) {}

  static async open(browser: Browser, url: string): Promise<Workbench> {
    const context = await browser.newContext({
      viewport: { width: 1480, height: 1000 },
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    const workbench = new Workbench(page);
    await workbench.load(url);
    return workbench;
  }

  /** Loads the window anew, and waits for its extensions. */
  async load(url: string): Promise<void> {
    // VS Code gives its extension host a minute to start, and then does without for ever. What is loaded again comes faster.
    let late = false;
    const listen = (message: ConsoleMessage) => {
      late ||= message.text().includes('took longer than 60s to send its ready message');
    };
    this.page.on('console', listen);
    do {
      late = false;
      await this.page.goto(url);
      await this.page.locator('.monaco-workbench .part.editor').waitFor();
      await this.page.locator('.statusbar-item').first().waitFor();
    } while (!(await this.#offers('Debug: Toggle Breakpoint', () => late)));
    this.page.off('console', listen);
  }

  /**
   * Whether VS Code comes to have a command before `never` says that it will not. Extensions come after the window, and
   * breakpoints and F5 with them: before, clicks and keys are lost.
   */
  async #offers(title: string, never: () => boolean): Promise<boolean> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!never()) {
      if (Date.now() > deadline) throw new Error(`VS Code does not offer ${title}`);
      await this.press('F1');
      await this.#input().fill(`>${title}`);
      const found = await this.#choices(title)
        .waitFor({ timeout: LOOK_MS })
        .then(
          () => true,
          () => false,
        );
      await this.press('Escape');
      await this.#input().waitFor({ state: 'hidden' });
      if (found) return true;
    }
    return false;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  async press(keys: string): Promise<void> {
    await this.page.keyboard.press(keys);
  }

  async command(title: string): Promise<void> {
    await this.press('F1');
    await this.#pick(`>${title}`, title);
  }

  /** A file of the folder, by its path, so that VS Code need not search. */
  async openFile(name: string): Promise<void> {
    const folder = new URL(this.page.url()).searchParams.get('folder');
    await this.press('Control+P');
    const file = basename(name);
    await this.#pick(`${folder}/${name}`, file);
    await this.page.locator(`.tab[data-resource-name="${file}"]`).waitFor();
    await this.page.locator('.editor-instance .view-line').first().waitFor();
  }

  /** Chooses from a row's context menu. VS Code takes no click for one that comes right after the menu. */
  async chooseFromMenu(row: Locator, title: string): Promise<void> {
    await row.click({ button: 'right' });
    await this.#chooseFromOpenMenu(title);
  }

  async #chooseFromOpenMenu(title: string): Promise<void> {
    const item = this.page.locator('.monaco-menu').getByText(title);
    await item.waitFor();
    const deadline = Date.now() + TIMEOUT_MS;
    while (await item.isVisible()) {
      if (Date.now() > deadline) throw new Error(`${title} is not taken from the menu`);
      await item.click({ timeout: LOOK_MS }).catch(() => undefined);
      await item.waitFor({ state: 'hidden', timeout: LOOK_MS }).catch(() => undefined);
    }
  }

  /** Types into an open quick pick. */
  async type(text: string): Promise<void> {
    await this.#input().fill(text);
  }

  /** Chooses the row with `text` of an open quick pick. */
  async choose(text: string): Promise<void> {
    await this.#choices(text).click();
  }

  #choices(text: string): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: text }).first();
  }

  /** `style` is the class that VS Code gives windows of such themes: vs, vs-dark, hc-black. */
  async theme(name: string, style: string): Promise<void> {
    await this.command('Preferences: Color Theme');
    await this.page.locator('.quick-input-widget input[placeholder*="Theme"]').fill(name);
    await this.choose(name);
    await this.page.locator(`.monaco-workbench.${style}`).waitFor();
    await this.#input().waitFor({ state: 'hidden' });
  }

  /** Fills an open input box, in which VS Code puts `proposal` by itself first, after it is open. */
  async answer(text: string, proposal = ''): Promise<void> {
    const input = this.#input();
    await input.waitFor();
    const deadline = Date.now() + TIMEOUT_MS;
    while (!(await input.inputValue()).includes(proposal)) {
      if (Date.now() > deadline) throw new Error(`${proposal} is not proposed`);
      await this.page.waitForTimeout(50);
    }
    await input.fill(text);
    await input.press('Enter');
  }

  /** Pastes into an open input box, and closes it. */
  async pasted(wanted: RegExp): Promise<void> {
    const input = this.#input();
    await input.fill('');
    await input.press('Control+V');
    const deadline = Date.now() + TIMEOUT_MS;
    while (!wanted.test(await input.inputValue())) {
      if (Date.now() > deadline) throw new Error(`${await input.inputValue()} was pasted`);
      await this.page.waitForTimeout(50);
    }
    await this.press('Escape');
    await input.waitFor({ state: 'hidden' });
  }

  /** Waits until the cursor is at a line of the file that is edited. */
  async cursorAt(file: string, line: number): Promise<void> {
    await this.page.locator(`.tab.active[data-resource-name="${file}"]`).waitFor();
    await this.page
      .locator('.statusbar-item')
      .filter({ hasText: `Ln ${line},` })
      .waitFor();
  }

  /** The lines in sight of the document with this name, which must be in front in its column. */
  linesOf(name: string): Locator {
    return this.page
      .locator('.editor-group-container')
      .filter({ has: this.page.locator(`.tab.active[data-resource-name="${name}"]`) })
      .locator('.view-line');
  }

  #input(): Locator {
    return this.page.locator('.quick-input-widget input.input');
  }

  async #pick(typed: string, text: string): Promise<void> {
    const input = this.#input();
    await input.waitFor();
    await input.fill(typed);
    await this.choose(text);
  }

  /** Clicks where breakpoints are in the margin of the editor; the line must be in sight. */
  async clickGutter(line: number): Promise<void> {
    await this.page.mouse.click(...(await this.#inGutter(line)));
  }

  async chooseFromGutter(line: number, title: string): Promise<void> {
    await this.page.mouse.click(...(await this.#inGutter(line)), { button: 'right' });
    await this.#chooseFromOpenMenu(title);
  }

  async #inGutter(line: number): Promise<[number, number]> {
    const place = await this.page.waitForFunction(placeInGutter, line);
    return (await place.jsonValue()) as [number, number];
  }

  #lineNumber(line: number): Locator {
    return this.page
      .locator('.editor-instance .margin-view-overlays .line-numbers')
      .getByText(`${line}`, { exact: true })
      .first();
  }

  /** Unfolds a row of a tree that VS Code may be painting anew, which can fold it again, until `below` is in sight. */
  async unfold(row: Locator, below: Locator): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!(await below.isVisible())) {
      if (Date.now() > deadline) throw new Error('the row does not stay unfolded');
      if ((await row.getAttribute('aria-expanded')) !== 'true') await row.click();
      await below.waitFor({ timeout: 2000 }).catch(() => undefined);
    }
  }

  async goToLine(line: number): Promise<void> {
    await this.press('Control+G');
    await this.answer(`:${line}`);
    await this.page.locator('.editor-instance .active-line-number').getByText(`${line}`, { exact: true }).waitFor();
  }

  /** Waits until the yellow line of the top stack frame is at `line`. */
  async stoppedAt(line: number): Promise<void> {
    await this.page.waitForFunction(highlightedLineIs, line);
  }

  async showDebugSideBar(): Promise<void> {
    await this.press('Control+Shift+D');
    await this.page.locator('.pane-header[aria-label="Call Stack Section"]').waitFor();
  }

  debugButton(name: 'continue' | 'pause' | 'step-over' | 'step-into' | 'step-out' | 'restart' | 'stop'): Locator {
    return this.page.locator(`.debug-toolbar .action-label.codicon-debug-${name}`);
  }

  #header(title: string): Locator {
    const named = this.page.locator('h3.title').getByText(title);
    return this.page.locator('.pane-header').filter({ has: named });
  }

  /** Drags the side bar's border. */
  async widenSideBar(pixels: number): Promise<void> {
    const bar = await this.page.locator('.part.sidebar').boundingBox();
    if (!bar) throw new Error('no side bar is in sight');
    const [x, y] = [bar.x + bar.width, bar.y + bar.height / 3];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + pixels, y, { steps: 4 });
    await this.page.mouse.up();
  }

  /** A view of the side bar, expanded. */
  async view(title: string): Promise<Locator> {
    const header = this.#header(title);
    await header.waitFor();
    if ((await header.getAttribute('aria-expanded')) !== 'true') await this.#toggle(header);
    return this.page.locator('.pane').filter({ has: header });
  }

  async collapse(title: string): Promise<void> {
    const header = this.#header(title);
    if ((await header.getAttribute('aria-expanded')) === 'true') await this.#toggle(header);
  }

  /** The pointer is taken away: a row that slides below it would show its tooltip over what is clicked next. */
  async #toggle(header: Locator): Promise<void> {
    await header.click();
    await this.page.mouse.move(0, 0);
  }

  /** Text of the rows in sight of a tree, one string a row: label and description. */
  rows(view: Locator): Promise<string[]> {
    return view.locator('.monaco-list-row').evaluateAll((rows) => rows.map((row) => row.textContent ?? ''));
  }

  /** The first row with `text` anywhere. */
  rowWith(view: Locator, text: string): Locator {
    return view.locator('.monaco-list-row').filter({ hasText: text }).first();
  }

  /** The row whose label is `label`. */
  row(view: Locator, label: string): Locator {
    return view
      .locator('.monaco-list-row')
      .filter({ has: this.page.locator(`.label-name`).getByText(label, { exact: true }) })
      .first();
  }

  /** Rests the mouse on the first `word` of a line. */
  async hoverWord(word: string, line: number): Promise<void> {
    const top = (await this.#lineNumber(line).boundingBox())?.y ?? Number.NaN;
    const at = await this.page.evaluate(placeOfWord, { word, top });
    if (!at) throw new Error(`line ${line} has no ${word}`);
    await this.page.mouse.move(...at);
  }

  /** Polls a condition of this machine, not of the page. */
  async until(condition: () => boolean | Promise<boolean>, otherwise: () => string): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(otherwise());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** A page of an extension, from 0, or from -1 backwards. */
  webview(number = 0): FrameLocator {
    return this.page.frameLocator(`iframe.webview.ready >> nth=${number}`).frameLocator('#active-frame');
  }

  /** The text of the terminal in sight. */
  async terminalText(): Promise<string> {
    const lines = await this.page.locator('.terminal-wrapper.active .xterm-rows > div').allTextContents();
    return lines.map((line) => line.replaceAll('\u00a0', ' ').trimEnd()).join('\n');
  }

  async typeIntoTerminal(text: string): Promise<void> {
    await this.page.locator('.part.panel .composite-bar').getByText('Terminal', { exact: true }).click();
    await this.page.locator('.terminal-wrapper.active .xterm-screen').click();
    await this.page.keyboard.type(text);
  }

  async terminalSays(text: string): Promise<void> {
    await this.page.locator('.terminal-wrapper.active .xterm-rows > div').filter({ hasText: text }).first().waitFor();
  }
}

/** Runs in the page. */
function highlightedLineIs(wanted: number): boolean {
  const highlight = document.querySelector('.editor-instance .view-overlays .debug-top-stack-frame-line');
  if (!highlight) return false;
  const { top, height } = highlight.getBoundingClientRect();
  for (const number of document.querySelectorAll('.editor-instance .margin-view-overlays .line-numbers')) {
    const box = number.getBoundingClientRect();
    if (Math.abs(box.top + box.height / 2 - top - height / 2) < 4) return Number(number.textContent) === wanted;
  }
  return false;
}

/** Runs in the page: where a click is for the breakpoint of a line, once that is in sight. */
function placeInGutter(line: number): [x: number, y: number] | undefined {
  const margin = document.querySelector('.editor-instance .glyph-margin')?.getBoundingClientRect();
  for (const number of document.querySelectorAll('.editor-instance .margin-view-overlays .line-numbers')) {
    const { y, height } = number.getBoundingClientRect();
    if (margin && number.textContent === `${line}`) return [margin.x + margin.width / 2, y + height / 2];
  }
  return undefined;
}

/** Runs in the page: the middle of `word` in the line of the editor that begins at `top`. */
function placeOfWord({ word, top }: { word: string; top: number }): [x: number, y: number] | undefined {
  const named = new RegExp(`\\b${word}\\b`);
  for (const line of document.querySelectorAll('.editor-instance .view-line')) {
    if (Math.abs(line.getBoundingClientRect().top - top) > 4) continue;
    for (const token of line.querySelectorAll('span > span')) {
      const text = token.firstChild;
      const at = named.exec(text?.textContent ?? '')?.index;
      if (!text || at === undefined) continue;
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + word.length);
      const { x, y, width, height } = range.getBoundingClientRect();
      return [x + width / 2, y + height / 2];
    }
  }
  return undefined;
}
