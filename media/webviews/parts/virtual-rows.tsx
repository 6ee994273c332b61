/** Rows of one height at the end of a scroller, below heads that stay in sight: only those in sight are in the page, so 10,000 cost what 50 cost. */
import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

const SPARE_ROWS = 8;

interface Props {
  readonly scroller: RefObject<HTMLElement | null>;
  readonly count: number;
  /** Pixels that the scroller has inside, and of a row. */
  readonly height: number;
  readonly rowHeight: number;
  readonly row: (index: number) => ComponentChildren;
  /** Scrolled into sight when it changes. */
  readonly cursor: number | undefined;
  /** Stays at the end while rows are added, unless the user scrolled up. */
  readonly follow?: boolean;
  /** Told when other rows come into sight; `atEnd` when the last one is and is to stay so. */
  readonly onWindow?: (first: number, count: number, atEnd: boolean) => void;
}

export function VirtualRows({ scroller, count, height, rowHeight, row, cursor, follow = false, onWindow }: Props) {
  const [top, setTop] = useState(0);
  const atEnd = useRef(follow);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const onScroll = () => {
      atEnd.current = follow && element.scrollTop + element.clientHeight >= element.scrollHeight - rowHeight;
      setTop(element.scrollTop);
    };
    element.addEventListener('scroll', onScroll);
    return () => element.removeEventListener('scroll', onScroll);
  }, [follow, rowHeight]);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [count, height]);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || cursor === undefined) return;
    const above = cursor * rowHeight < element.scrollTop;
    const end = element.scrollHeight - (count - cursor - 1) * rowHeight;
    const below = end > element.scrollTop + element.clientHeight;
    if (above) element.scrollTop = cursor * rowHeight;
    else if (below) element.scrollTop = end - element.clientHeight;
  }, [cursor, rowHeight]);

  const first = Math.max(0, Math.floor(top / rowHeight) - SPARE_ROWS);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + SPARE_ROWS);
  const room = Math.ceil(height / rowHeight) + 2 * SPARE_ROWS;
  useLayoutEffect(() => {
    if (height > 0) onWindow?.(first, room, atEnd.current);
  }, [first, room, height > 0, atEnd.current]);
  const shown = Array.from({ length: Math.max(0, last - first) }, (_, index) => row(first + index));
  return (
    <div style={{ height: `${count * rowHeight}px`, position: 'relative' }} role="rowgroup">
      <div style={{ position: 'absolute', top: `${first * rowHeight}px`, width: '100%' }} role="presentation">
        {shown}
      </div>
    </div>
  );
}
