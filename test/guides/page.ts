/**
 * A page of media/docs taken apart, so that a test does what it says, word by word. In a page count
 * - a fenced block below a line that begins with a file's name in bold, `**kernel.c**`: that file;
 * - a `sh` block: commands of one terminal, one block after the other;
 * - a `text` block: what the commands before it print, line by line, among other things. `...` stands for anything;
 * - a `console` block: a guest in the background and a debugger with what is typed into it, each answer as in a `text` block;
 * - `<!-- stand-in: WORDS -->` above a `sh` block: commands that download, or take minutes. A test has something of its own in
 *   their place, by WORDS, and fails where it has not.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Fence {
  readonly language: string;
  readonly text: string;
  readonly file?: string;
  readonly standIn?: string;
}

const FENCE =
  /(?:^\*\*(?<file>[\w./-]+)\*\*[^\n]*\n\n|^<!-- stand-in: (?<standIn>[^\n]+) -->\n\n?)?^```(?<language>\w*)\n(?<text>[\s\S]*?)^```$/gm;

/** What a page shows, in which `...` stands for anything. */
export const patternOf = (shown: string): RegExp =>
  new RegExp(
    `^${shown
      .split('...')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  );

export class Page {
  readonly text: string;

  /** `name` without its `.md`. */
  constructor(name: string) {
    this.text = readFileSync(join(__dirname, '../../media/docs', `${name}.md`), 'utf8');
  }

  /** Fenced blocks below the heading, in order, or of the whole page. */
  blocks(heading?: string): Fence[] {
    const text = heading === undefined ? this.text : this.section(heading);
    return [...text.matchAll(FENCE)].map(({ groups = {} }) => ({
      language: groups['language'] ?? '',
      text: groups['text'] ?? '',
      ...(groups['file'] && { file: groups['file'] }),
      ...(groups['standIn'] && { standIn: groups['standIn'] }),
    }));
  }

  /** Cells of the one table below the heading, a row an array, without its head; code without its quotes. */
  table(heading: string): string[][] {
    const rows = [...this.section(heading).matchAll(/^\|(.*)\|$/gm)].slice(2);
    assert.ok(rows.length > 0, `there is no table below ${heading}`);
    return rows.map(([, row = '']) => row.split('|').map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')));
  }

  /** What stands below the heading, up to the next one of the same rank. */
  section(heading: string): string {
    const [, text] = this.text.split(`\n## ${heading}\n`);
    assert.ok(text !== undefined, `there is no heading ${heading}`);
    return text.split('\n## ')[0] ?? '';
  }
}
