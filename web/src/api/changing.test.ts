import { describe, expect, it } from "vitest";
import type { JsonObject } from "../submit/json";
import { changeTogether, clashesOf, Overtaken } from "./changing";
import { ProblemError } from "./problem";

const seen = { name: "a", labels: { team: "x" }, limits: { timeout: 60, grace: 10 } };

/** A thing at a server, that somebody else changes when it was read for so many times. */
function shared(thing: JsonObject, changes: readonly JsonObject[] = []) {
  let [now, version] = [thing, 1];
  const left = [...changes];
  return {
    read: async () => {
      const read = { now, etag: `"${version}"` };
      const change = left.shift();
      if (change) [now, version] = [{ ...now, ...change }, version + 1];
      return read;
    },
    send: async (patch: JsonObject, etag: string) => {
      if (etag !== `"${version}"`) throw new ProblemError(412, "precondition_failed", "", "");
      now = { ...now, ...patch };
      return now;
    },
  };
}

describe("changing together", () => {
  it("clashes where both have changed the same, and wanted it otherwise", () => {
    const now = { ...seen, name: "b", limits: { timeout: 90, grace: 10 } };
    expect(clashesOf({ limits: { timeout: 120, grace: 5 } }, seen, now)).toEqual([
      { field: "limits.timeout", was: 60, now: 90, wanted: 120 },
    ]);
    expect(clashesOf({ limits: { timeout: 90 }, labels: { team: null } }, seen, now)).toEqual([]);
    expect(clashesOf({ name: null }, seen, { ...seen, name: null })).toEqual([]);
  });

  it("leaves what others changed beside it", async () => {
    const { read, send } = shared(seen, [{ name: "theirs" }]);
    expect(await changeTogether(seen, { note: "mine" }, { read, send })).toMatchObject({
      name: "theirs",
      note: "mine",
    });
  });

  it("changes nothing that somebody changed in between", async () => {
    const { read, send } = shared(seen, [{ name: "theirs" }]);
    const change = changeTogether(seen, { name: "mine" }, { read, send });
    await expect(change).rejects.toBeInstanceOf(Overtaken);
    await expect(change).rejects.toMatchObject({
      clashes: [{ field: "name", was: "a", now: "theirs", wanted: "mine" }],
    });
    expect((await read()).now).toMatchObject({ name: "theirs" });
  });

  it("gives up where it never comes to its turn", async () => {
    const { read, send } = shared(
      seen,
      ["1", "2", "3", "4", "5"].map((note) => ({ note })),
    );
    await expect(changeTogether(seen, { name: "mine" }, { read, send })).rejects.toMatchObject({
      status: 412,
    });
  });
});
