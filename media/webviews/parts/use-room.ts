/** How much room an element has inside, as it is resized. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import type { TableRoom } from '../../../extension/novsc/fitting-columns.ts';

/** Pixels inside. */
export interface Room extends TableRoom {
  readonly height: number;
}

export function useRoom(box: RefObject<HTMLElement | null>): Room {
  const [room, setRoom] = useState<Room>({ width: Number.POSITIVE_INFINITY, height: 0, em: 1 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      const em = Number.parseFloat(getComputedStyle(element).fontSize);
      setRoom({ width: element.clientWidth, height: element.clientHeight, em });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return room;
}
