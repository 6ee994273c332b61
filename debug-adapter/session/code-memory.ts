/** A stretch of guest memory as the blocks of it that are mapped. */
export interface CodeBlock {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

const PAGE = 4096n;
const ADDRESS_SPACE = 1n << 64n;

/** Blocks in ascending order; reads on behind pages that are not mapped. `read` may answer short. */
export async function readCode(
  address: bigint,
  length: number,
  read: (address: bigint, length: number) => Promise<Uint8Array>,
): Promise<readonly CodeBlock[]> {
  const end = address + BigInt(length) > ADDRESS_SPACE ? ADDRESS_SPACE : address + BigInt(length);
  const blocks: CodeBlock[] = [];
  let next = address;
  while (next < end) {
    const bytes = await read(next, Number(end - next));
    if (bytes.length > 0) blocks.push({ address: next, bytes });
    // The first byte that was not read is in a page that is not mapped.
    const unmapped = next + BigInt(bytes.length);
    next = unmapped < end ? (unmapped / PAGE + 1n) * PAGE : end;
  }
  return blocks;
}
