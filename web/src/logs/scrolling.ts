import { type RefObject, useEffect, useLayoutEffect, useReducer, useRef, useState } from "react";
import { Layout } from "./layout";
import type { Focus, LogStore } from "./store";

export const LINE_HEIGHT = 20;
const OVERSCAN = 12;
/** Characters that the probe is wide. */
const PROBE = 100;
/** Of so many rows it is remembered how high they are. */
const MOST_MEASURED = 20_000;
/** As far as rounding goes, in pixels. */
const SAME = 1.5;

/** Rows that are to be in the page, and where they lie. */
export interface Seen {
  first: number;
  last: number;
  top: number;
  height: number;
}

interface Place {
  seq: number;
  /** Pixels of the row at the top that are out of sight. */
  offset: number;
}

/** Keeps what is read where it is, or the end in sight, whatever is read before it and comes behind it. */
export function useScroll(element: RefObject<HTMLDivElement | null>, store: LogStore, wrap: boolean) {
  const [size, setSize] = useState({ height: 0, width: 0 });
  const [columns, setColumns] = useState(80);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const anchor = useRef<Place>({ seq: 1, offset: 0 });
  const known = useRef(0);
  const measured = useRef(new Map<number, number>());
  const focused = useRef<Focus | null>(null);

  const { rows } = store;
  const layout = new Layout(rows, LINE_HEIGHT, wrap ? { columns, measured: measured.current } : null);
  const latest = useRef(layout);
  if (store.focus && store.focus !== focused.current) {
    const { seq, align } = store.focus;
    const row = rows[store.placeOf(seq)];
    const above = align === "nearest" ? room(store.placeOf(seq)) : align === "center" ? middle() : 0;
    if (above !== null) anchor.current = { seq: row?.seq ?? seq, offset: -above };
    // Until it is there, what comes may be nearer.
    if (store.covers(seq) && size.height > 0) focused.current = store.focus;
  }
  const bottom = Math.max(0, layout.height - size.height);
  const place = layout.topOf(store.placeOf(anchor.current.seq)) + anchor.current.offset;
  const wanted = store.following ? bottom : Math.max(0, Math.min(bottom, place));
  const [top, end] = [layout.indexAt(wanted), layout.indexAt(wanted + size.height - 1)];
  const seen: Seen = {
    first: Math.max(0, top - OVERSCAN),
    last: Math.min(rows.length - 1, end + OVERSCAN),
    top: layout.topOf(Math.max(0, top - OVERSCAN)),
    height: layout.height,
  };

  function middle(): number {
    return Math.max(0, size.height / 2 - LINE_HEIGHT);
  }

  /** Pixels that are to be above a row so that it is in sight; null if it is. */
  function room(index: number): number | null {
    const now = layout.topOf(store.placeOf(anchor.current.seq)) + anchor.current.offset;
    const [begin, end] = [layout.topOf(index), layout.topOf(index + 1)];
    if (begin < now) return 0;
    return end > now + size.height ? size.height - (end - begin) : null;
  }

  function placeAt(y: number): Place {
    const index = latest.current.indexAt(y);
    return { seq: store.rows[index]?.seq ?? 1, offset: y - latest.current.topOf(index) };
  }

  useEffect(() => {
    const { current } = element;
    if (!current) return;
    const observer = new ResizeObserver(() =>
      setSize({ height: current.clientHeight, width: current.clientWidth }),
    );
    observer.observe(current);
    return () => observer.disconnect();
  }, [element]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: what was measured is not true any more
  useLayoutEffect(() => measured.current.clear(), [wrap, columns, size.width, store]);

  useLayoutEffect(() => {
    const { current } = element;
    if (!current) return;
    latest.current = layout;
    if (wrap) {
      setColumns(columnsOf(current) ?? columns);
      if (measure(current, measured.current, (seq) => layout.linesAt(store.placeOf(seq)))) redraw();
    }
    if (Math.abs(current.scrollTop - wanted) > SAME) current.scrollTop = wanted;
    known.current = current.scrollTop;
    if (store.following) anchor.current = placeAt(wanted);
    store.look(top, end);
  });

  function onScroll(): void {
    const { current } = element;
    if (!current || Math.abs(current.scrollTop - known.current) < SAME) return;
    const y = current.scrollTop;
    const isDown = y > known.current;
    known.current = y;
    anchor.current = placeAt(y);
    const isAtEnd = y + current.clientHeight >= latest.current.height - LINE_HEIGHT / 2;
    if (!isAtEnd) store.pause();
    else if (isDown && store.isAttached) store.follow();
    redraw();
  }

  /** Whoever turns back wants to read, whatever the end does meanwhile. */
  function onTurn(up: boolean): void {
    if (up && known.current > 0) store.pause();
  }

  return { seen, onScroll, onTurn };
}

/** How many characters fit beside each other; null if there is no row yet. */
function columnsOf(view: HTMLElement): number | null {
  const text = view.querySelector<HTMLElement>("[data-text]");
  const probe = view.querySelector<HTMLElement>("[data-probe]");
  if (!text || !probe || probe.offsetWidth === 0) return null;
  return Math.max(1, Math.floor((text.clientWidth / probe.getBoundingClientRect().width) * PROBE));
}

/** Take down how many lines rows really have; whether any has others than was thought. */
function measure(
  view: HTMLElement,
  measured: Map<number, number>,
  linesOf: (seq: number) => number,
): boolean {
  if (measured.size > MOST_MEASURED) measured.clear();
  let changed = false;
  for (const row of view.querySelectorAll<HTMLElement>("[data-seq]")) {
    const seq = Number(row.dataset["seq"]);
    const lines = Math.round(row.offsetHeight / LINE_HEIGHT);
    if (lines < 1 || lines === linesOf(seq)) continue;
    measured.set(seq, lines);
    changed = true;
  }
  return changed;
}
