/** How the demo looks in a terminal. Colours only where they will be seen as such. */
const COLOURED = process.stdout.isTTY === true && !('NO_COLOR' in process.env);
const paint = (code: string) => (text: string) => (COLOURED ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = paint('1');
export const dim = paint('2');
export const green = paint('32');
export const yellow = paint('33');
export const cyan = paint('36');

const WIDTH = 100;

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

export function heading(title: string, aside = ''): void {
  const rule = '─'.repeat(Math.max(2, WIDTH - title.length - aside.length - 6));
  print();
  print(`${cyan('──')} ${bold(title)} ${cyan(rule)} ${dim(aside)}`);
}

/** Columns padded to their widest cell; the last one is left as it is. Cells are painted after padding. */
export function table(
  rows: readonly (readonly string[])[],
  paints: readonly (((text: string) => string) | undefined)[] = [],
) {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  for (const row of rows) {
    const cells = row.map((cell, column) => {
      const padded = column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
      return (paints[column] ?? String)(padded);
    });
    print(`  ${cells.join('  ')}`);
  }
}

export function size(bytes: bigint): string {
  const units: readonly (readonly [bigint, string])[] = [
    [1n << 30n, 'GiB'],
    [1n << 20n, 'MiB'],
    [1n << 10n, 'KiB'],
  ];
  for (const [unit, name] of units) if (bytes >= unit && bytes % unit === 0n) return `${bytes / unit} ${name}`;
  return `${bytes} B`;
}

export const wide = (value: string) => `0x${BigInt(value).toString(16).padStart(16, '0')}`;
