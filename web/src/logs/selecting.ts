import { useLocation, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useRef } from "react";
import { keepingKey } from "../session/guest";
import { hashOfLines, type Lines, linesBetween, linesOfHash } from "./permalink";
import type { LogStore } from "./store";

/** Where a range began to be chosen, and where it ends for now. */
interface Ends {
  anchor: number;
  head: number;
}

/** The lines that the address names after `#`; whoever comes with one is led there. */
export function useSelection(store: LogStore) {
  const router = useRouter();
  const hash = useLocation({ select: (location) => location.hash });
  const selected = linesOfHash(hash);
  const ends = useRef<Ends | null>(null);
  const own = useRef<string | null>(null);
  useEffect(() => {
    if (own.current === hash) return;
    own.current = hash;
    const named = linesOfHash(hash);
    ends.current = named && { anchor: named.from, head: named.to };
    if (named) void store.goTo(named.from);
  }, [hash, store]);

  const select = useCallback(
    (lines: Lines | null) => {
      const named = keepingKey(router.state.location.hash, lines ? hashOfLines(lines) : "");
      own.current = named;
      void router.navigate({
        to: ".",
        search: true,
        hash: named,
        replace: true,
        resetScroll: false,
        hashScrollIntoView: false,
      });
    },
    [router],
  );
  const choose = useCallback(
    (seq: number, extend: boolean) => {
      const anchor = (extend && ends.current?.anchor) || seq;
      ends.current = { anchor, head: seq };
      select(linesBetween(anchor, seq));
    },
    [select],
  );
  /** Choose the line below or above; the first time one that is in sight. */
  const step = useCallback(
    (down: boolean, extend: boolean) => {
      const { first, last } = store.seen;
      const head = ends.current?.head;
      const seq =
        head === undefined || !store.covers(head) ? (down ? first : last) : store.besides(head, down);
      choose(store.rows[store.placeOf(seq)]?.seq ?? seq, extend);
      store.show(seq);
    },
    [store, choose],
  );
  const clear = useCallback(() => {
    ends.current = null;
    select(null);
  }, [select]);
  return { selected, choose, step, clear };
}
