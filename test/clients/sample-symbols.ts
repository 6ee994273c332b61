/** Addresses in the sample guest by `nm`, and its bytes by `objdump`: oracles that are none of our code. */
import { execFileSync } from 'node:child_process';
import { sampleKernel } from '../guests/markers.ts';

const symbols = new Map(
  execFileSync('nm', [sampleKernel], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^([0-9a-f]+) \w (\S+)$/.exec(line))
    .flatMap((match) => (match ? [[match[2] ?? '', BigInt(`0x${match[1]}`)] as const] : [])),
);

export function addressOf(symbol: string): bigint {
  const address = symbols.get(symbol);
  if (address === undefined) throw new Error(`the sample guest has no symbol ${symbol}`);
  return address;
}

/** Addresses of a function's instructions, ascending. */
export function instructionsOf(symbol: string): readonly bigint[] {
  return [...disassemble(symbol).matchAll(/^\s*([0-9a-f]+):\t/gm)].map(([, address]) => BigInt(`0x${address}`));
}

/** Bytes of a function, in hex. */
export function codeOf(symbol: string): string {
  return [...disassemble(symbol).matchAll(/^\s*[0-9a-f]+:\t((?:[0-9a-f]{2} )+)/gm)]
    .map(([, bytes]) => (bytes ?? '').replaceAll(' ', ''))
    .join('');
}

function disassemble(symbol: string): string {
  return execFileSync('objdump', ['-d', '-w', `--disassemble=${symbol}`, sampleKernel], { encoding: 'utf8' });
}
