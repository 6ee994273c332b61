/** Draws rows of the guest's screen on a canvas, in the order in which they come. */
import type { ScreenRows } from '../../../extension/novsc/screen-messages.ts';
import { canvasPixels } from '../../../extension/novsc/screen-pixels.ts';

let last: Promise<void> = Promise.resolve();

export function paint(canvas: HTMLCanvasElement, message: ScreenRows): void {
  last = last.then(() => draw(canvas, message)).catch((error: unknown) => console.error(error));
}

async function draw(canvas: HTMLCanvasElement, { screen, rows, data }: ScreenRows): Promise<void> {
  const bytes = await inflated(data);
  const { width, height, stride } = screen;
  // Setting either makes the canvas empty.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  let offset = 0;
  for (const { first, count } of rows) {
    const pixels = canvasPixels(bytes, { offset, count, width, stride });
    context?.putImageData(new ImageData(pixels, width, count), 0, first);
    offset += count * stride;
  }
}

async function inflated(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
