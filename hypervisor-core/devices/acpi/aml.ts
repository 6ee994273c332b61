/** Just enough of an AML assembler (ACPI 6.3, chapter 20). Every function gives the bytes of one term. */

type Bytes = readonly number[];

const littleEndian = (value: number, size: number) =>
  Array.from({ length: size }, (_, byte) => Math.floor(value / 2 ** (8 * byte)) & 0xff);

/** The length of what follows, itself included: one byte up to 63, else four bits and one or more bytes (20.2.4). */
function packageLength(content: number): Bytes {
  if (content + 1 < 0x40) return [content + 1];
  const following = content + 2 < 0x1000 ? 1 : 2;
  const length = content + 1 + following;
  return [(following << 6) | (length & 0xf), ...littleEndian(length >> 4, following)];
}

const sized = (operator: Bytes, content: Bytes): Bytes => [...operator, ...packageLength(content.length), ...content];

/** Four characters, padded with underscores. */
const nameSegment = (name: string): Bytes => [...Buffer.from(name.padEnd(4, '_'))];

/** A number of up to 32 bits in its shortest form. */
export function integer(value: number): Bytes {
  if (value <= 1) return [value];
  if (value <= 0xff) return [0x0a, value];
  return value <= 0xffff ? [0x0b, ...littleEndian(value, 2)] : [0x0c, ...littleEndian(value, 4)];
}

/** EISAID: three letters and four hexadecimal digits, in a double word of its own byte order. */
export function eisaId(id: string): Bytes {
  const [a = 0, b = 0, c = 0] = [...id].map((letter) => letter.charCodeAt(0) - 0x40);
  const letters = (a << 10) | (b << 5) | c;
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, letters >> 8, letters & 0xff, product >> 8, product & 0xff];
}

export const name = (of: string, value: Bytes): Bytes => [0x08, ...nameSegment(of), ...value];
export const scope = (of: string, ...terms: readonly Bytes[]): Bytes =>
  sized([0x10], [...nameSegment(of), ...terms.flat()]);
export const device = (of: string, ...terms: readonly Bytes[]): Bytes =>
  sized([0x5b, 0x82], [...nameSegment(of), ...terms.flat()]);
export const packageOf = (...elements: readonly Bytes[]): Bytes => sized([0x12], [elements.length, ...elements.flat()]);

/** A buffer of resource descriptors with its end tag; a checksum of 0 is never wrong. */
export function resources(...descriptors: readonly Bytes[]): Bytes {
  const content = [...descriptors.flat(), 0x79, 0];
  return sized([0x11], [...integer(content.length), ...content]);
}

/** Kinds of address space descriptors: their resource type, type-specific flags, and bytes of an address (6.4.3.5). */
const spaces = {
  memory: { type: 0, flags: 0x01, size: 4 },
  io: { type: 1, flags: 0x03, size: 2 },
  bus: { type: 2, flags: 0x00, size: 2 },
} as const;

/** A range that a bridge hands down to its bus, both ends fixed; `last` is part of it. */
export function producedRange(kind: keyof typeof spaces, first: number, last: number): Bytes {
  const { type, flags, size } = spaces[kind];
  const FIXED_PRODUCER = 0x0c;
  const content = [
    ...[type, FIXED_PRODUCER, flags],
    ...[0, first, last, 0, last - first + 1].flatMap((value) => littleEndian(value, size)),
  ];
  return [size === 4 ? 0x87 : 0x88, ...littleEndian(content.length, 2), ...content];
}

/** I/O ports that the device itself decodes, 16 bits of address. */
export const ioPorts = (first: number, count: number): Bytes => [
  ...[0x47, 0x01, ...littleEndian(first, 2), ...littleEndian(first, 2)],
  ...[0x01, count],
];

/** A line from 0 to 15 of the PICs, edge-triggered and active high (6.4.2.1). */
export const interruptLine = (line: number): Bytes => [0x22, ...littleEndian(1 << line, 2)];
