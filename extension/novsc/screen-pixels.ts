/** Pixels as a framebuffer has them, made into those of a canvas. */

/**
 * `count` rows of `width` pixels, XRGB8888, `stride` bytes apart from `offset` of `bytes` on, as RGBA, opaque. Throws a
 * RangeError where there are fewer.
 */
export function canvasPixels(
  bytes: Uint8Array,
  { offset, count, width, stride }: Readonly<Record<'offset' | 'count' | 'width' | 'stride', number>>,
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(count * width * 4);
  if (offset + (count - 1) * stride + width * 4 > bytes.length) throw new RangeError('rows are missing');
  let to = 0;
  for (let row = 0; row < count; row++) {
    let from = offset + row * stride;
    for (let x = 0; x < width; x++, from += 4, to += 4) {
      pixels[to] = bytes[from + 2] ?? 0;
      pixels[to + 1] = bytes[from + 1] ?? 0;
      pixels[to + 2] = bytes[from] ?? 0;
      pixels[to + 3] = 0xff;
    }
  }
  return pixels;
}
