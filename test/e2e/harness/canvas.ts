/** What is on a canvas of a page. */
import type { FrameLocator } from 'playwright-core';

/** Red, green, blue and opacity of each pixel, row by row, of a part of the page's canvas. */
export const pixelsOf = (
  page: FrameLocator,
  part: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
): Promise<number[]> =>
  page.locator('canvas').evaluate((canvas, { x, y, width, height }) => {
    const context = (canvas as HTMLCanvasElement).getContext('2d');
    return [...(context?.getImageData(x, y, width, height).data ?? [])];
  }, part);

export const pixelOf = (page: FrameLocator, x: number, y: number): Promise<number[]> =>
  pixelsOf(page, { x, y, width: 1, height: 1 });
