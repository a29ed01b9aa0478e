import { useCallback, useState } from "react";
import type { Form } from "./form";
import { isObject } from "./json";
import type { Body, Draft } from "./requests";

/** What a form holds, and the ways to change it. */
export function useDraft(initial: Body, started: Partial<Draft> = {}) {
  const [draft, setDraft] = useState<Draft>({ many: { as: "one" }, ...started, body: initial });
  const adjust = useCallback((part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part })), []);
  const change = useCallback<Form["change"]>((name, value) => {
    setDraft((before) => ({ ...before, body: { ...before.body, [name]: value } }));
  }, []);
  const changeWithin = useCallback<Form["changeWithin"]>((name, key, value) => {
    setDraft((before) => {
      const object = before.body[name];
      const { [key]: _, ...rest } = isObject(object) ? object : {};
      const after = value === undefined ? rest : { ...rest, [key]: value };
      return { ...before, body: { ...before.body, [name]: after } };
    });
  }, []);
  return { draft, adjust, change, changeWithin };
}

/** What keeps a form from being sent: the first reason of any part. */
export function useBlocks() {
  const [blocks, setBlocks] = useState<ReadonlyMap<string, string>>(new Map());
  const block = useCallback<Form["block"]>((path, reason) => {
    setBlocks((before) => {
      if ((before.get(path) ?? null) === reason) return before;
      const after = new Map(before);
      if (reason === null) after.delete(path);
      else after.set(path, reason);
      return after;
    });
  }, []);
  const [blocked = null] = blocks.values();
  return { blocked, block };
}
