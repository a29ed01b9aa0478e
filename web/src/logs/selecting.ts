import { useLocation, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useRef } from "react";
import { keepingKey } from "../session/guest";
import { extendedTo, hashOfLines, type Lines, linesOfHash } from "./permalink";
import type { LogStore } from "./store";

/** The lines that the address names after `#`; whoever comes with one is led there. */
export function useSelection(store: LogStore) {
  const router = useRouter();
  const hash = useLocation({ select: (location) => location.hash });
  const selected = linesOfHash(hash);
  const latest = useRef(selected);
  const own = useRef<string | null>(null);
  useEffect(() => {
    latest.current = linesOfHash(hash);
    const isNew = own.current !== hash;
    own.current = hash;
    if (isNew && latest.current) void store.goTo(latest.current.from);
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
    (seq: number, extend: boolean) => select(extendedTo(extend ? latest.current : null, seq)),
    [select],
  );
  return { selected, choose, clear: useCallback(() => select(null), [select]) };
}
