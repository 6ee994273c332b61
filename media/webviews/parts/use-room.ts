/** How much room an element has inside, as it is resized. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import type { TableRoom } from '../../../extension/novsc/fitting-columns.ts';

export function useRoom(box: RefObject<HTMLElement | null>): TableRoom {
  const [room, setRoom] = useState<TableRoom>({ width: Number.POSITIVE_INFINITY, em: 1 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      const em = Number.parseFloat(getComputedStyle(element).fontSize);
      setRoom({ width: element.clientWidth, em });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return room;
}
