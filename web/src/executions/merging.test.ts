import { describe, expect, it } from "vitest";
import type { Execution } from "../api/types";
import type { ExecutionFrame } from "../live/frames";
import { gathered, type Pages, pagesAfter } from "./cache";
import { headOrder, mergedHead, withRecords } from "./merging";
import { belongs } from "./search";

const T0 = "2026-11-21T10:00:00.000000Z";
const T1 = "2026-11-21T10:00:05.000000Z";

function record(id: string, changed: Partial<Execution> = {}): Execution {
  return {
    id,
    name: id,
    status: "running",
    updated_at: T0,
    queued_at: T0,
    archived_at: null,
    ...changed,
  } as Execution;
}

function frame(id: string, changed: Partial<ExecutionFrame>): ExecutionFrame {
  return {
    type: "execution",
    id,
    from: "running",
    status: "succeeded",
    at: T1,
    name: id,
    ...changed,
  } as ExecutionFrame;
}

function pages(...ids: string[][]): Pages {
  return {
    pages: ids.map((page, index) => ({
      items: page.map((id) => record(id)),
      next: index + 1 < ids.length ? "n" : null,
    })),
    pageParams: ids.map(() => null),
  };
}

const ids = (data: Pages) => data.pages.map(({ items }) => items.map(({ id }) => id));
const newest = headOrder({}) ?? (() => "");
const head = (...items: string[]) => ({ items: items.map((id) => record(id)), next: "more" });

describe("the head of a list that was fetched again", () => {
  it("brings what is new, and takes away what is gone", () => {
    const data = mergedHead(pages(["9", "8", "7"], ["6", "5"]), head("b", "9", "7"), newest);
    expect(ids(data)).toEqual([
      ["b", "9", "7"],
      ["6", "5"],
    ]);
  });

  it("reaches into later pages where much of the first is gone", () => {
    const data = mergedHead(pages(["9", "8"], ["6", "5"]), head("9", "6"), newest);
    expect(ids(data)).toEqual([["9", "6"], ["5"]]);
  });

  it("begins anew where nothing of it was known", () => {
    expect(ids(mergedHead(pages(["3", "2"], ["1"]), head("9", "8"), newest))).toEqual([["9", "8"]]);
  });
});

describe("what happens to executions of a list", () => {
  const stays = (each: Execution) => belongs(each, { status: ["running"] }, "live");

  it("is shown at once, and what no filter takes any more is gone", () => {
    const after = pagesAfter(
      pages(["2", "1"]),
      gathered([frame("2", { attempt: 2, status: "running" }), frame("1", {})]),
      stays,
    );
    expect(ids(after)).toEqual([["2"]]);
    expect(after.pages[0]?.items[0]?.attempt).toBe(2);
  });

  it("leaves alone whom nothing happened to, and what is older than the record", () => {
    const data = pages(["2", "1"]);
    expect(pagesAfter(data, gathered([frame("7", {})]), stays)).toBe(data);
    const older = pagesAfter(
      data,
      gathered([frame("2", { at: "2026-11-21T09:00:00Z", status: "failed" })]),
      () => true,
    );
    expect(older.pages[0]?.items[0]?.status).toBe("running");
  });

  it("replaces records that were fetched, and drops those that are there no longer", () => {
    const after = withRecords(
      pages(["3", "2", "1"]),
      new Map([
        ["3", record("3", { exit_code: 7 })],
        ["1", null],
      ]),
    );
    expect(ids(after)).toEqual([["3", "2"]]);
    expect(after.pages[0]?.items[0]?.exit_code).toBe(7);
  });
});
