import { type PointerEvent, useRef, useState } from "react";
import { seqAtShare, thumbOf } from "./layout";
import classes from "./lines.module.css";
import type { Search } from "./search";
import type { LogStore } from "./store";

/** More marks than this lie on each other. */
const MARKS = 300;
/** Of more matches than this some are passed over. */
const LOOKED_AT = 5_000;
const SETTLED_AFTER = 120;

/** The scroll bar: it stands for the whole log, by line numbers, with the matches of a search. */
export function Track({ store, search }: { store: LogStore; search: Search | null }) {
  const element = useRef<HTMLDivElement>(null);
  const going = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [dragged, setDragged] = useState<{ seq: number; share: number } | null>(null);
  const { newest, seen } = store;
  const { start, size } = thumbOf(seen.first, seen.last, newest);
  const from = dragged ? dragged.share * (1 - size) : start;

  function drag(event: PointerEvent<HTMLDivElement>): void {
    const box = element.current?.getBoundingClientRect();
    if (!box || box.height === 0) return;
    const free = box.height * (1 - size);
    const y = event.clientY - box.top - (box.height * size) / 2;
    const share = Math.max(0, Math.min(1, free > 0 ? y / free : 0));
    const seq = seqAtShare(share, newest);
    setDragged({ seq, share });
    clearTimeout(going.current);
    if (store.covers(seq)) void store.goTo(seq, "start");
    else going.current = setTimeout(() => void store.goTo(seq, "start"), SETTLED_AFTER);
  }

  function down(event: PointerEvent<HTMLDivElement>): void {
    event.preventDefault();
    element.current?.setPointerCapture(event.pointerId);
    drag(event);
  }

  function drop(): void {
    setDragged(null);
    if (dragged && dragged.share >= 1) store.follow();
  }

  return (
    <div
      ref={element}
      className={classes.track}
      role="scrollbar"
      aria-label="Whole log"
      aria-controls="log"
      aria-orientation="vertical"
      aria-valuemin={1}
      aria-valuemax={Math.max(1, newest)}
      aria-valuenow={Math.min(Math.max(1, seen.first), Math.max(1, newest))}
      aria-valuetext={`Line ${seen.first}`}
      tabIndex={-1}
      onPointerDown={down}
      onPointerMove={(event) => dragged && drag(event)}
      onPointerUp={drop}
      onPointerCancel={drop}
    >
      {search && <Marks search={search} newest={newest} />}
      {size < 1 && (
        <div
          className={classes.thumb}
          data-dragged={dragged !== null || undefined}
          style={{ top: `${from * 100}%`, height: `${size * 100}%` }}
        />
      )}
      {dragged && (
        <output className={classes.where} style={{ top: `${from * 100}%` }}>
          Line {dragged.seq.toLocaleString("en")}
        </output>
      )}
    </div>
  );
}

function Marks({ search, newest }: { search: Search; newest: number }) {
  const places = new Set<number>();
  const { found } = search;
  const step = Math.ceil(found.length / LOOKED_AT);
  for (let index = 0; index < found.length; index += step)
    places.add(Math.round((((found[index] ?? 1) - 1) / Math.max(1, newest - 1)) * MARKS));
  return [...places].map((place) => (
    <div key={place} className={classes.mark} style={{ top: `${(place / MARKS) * 100}%` }} />
  ));
}
