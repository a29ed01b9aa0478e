import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Execution } from "../api/types";
import { answerTo, type Operation, STANDINGS, whyFixed, whyNoCheckpoint, whyNot } from "./possible";
import { recordWith } from "./record.fixture";

const NAMES: Record<string, Operation> = {
  cancel: "cancel",
  "cancel (force)": "force",
  "pause (freeze)": "freeze",
  "pause (checkpoint)": "checkpoint",
  resume: "resume",
  hold: "hold",
  release: "release",
  rerun: "rerun",
  archive: "archive",
  restore: "restore",
  delete: "delete",
  "PATCH name, note, labels": "describe",
  "PATCH limits": "adjust",
};

/** The rows of the table under “What can be asked, and when”. */
function documented(): string[][] {
  const text = readFileSync(new URL("../../../docs/states.md", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("| operation |")).split("\n\n")[0] ?? "";
  return table
    .split("\n")
    .filter((line) => !line.startsWith("|---"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
}

describe("the table of operations", () => {
  it("is that of the documentation", () => {
    const [head, ...rows] = documented();
    expect(head?.slice(1)).toEqual([...STANDINGS]);
    expect(rows.map(([name]) => name)).toEqual(Object.keys(NAMES));
    for (const [name = "", ...answers] of rows) {
      const operation = NAMES[name];
      if (!operation) throw new Error(name);
      expect(STANDINGS.map((standing) => answerTo(operation, standing))).toEqual(answers);
    }
  });
});

describe("what cannot be asked says why", () => {
  const cases: [Operation, Partial<Execution>, string | null][] = [
    ["cancel", { status: "running" }, null],
    ["cancel", { status: "succeeded" }, "It has ended."],
    ["cancel", { status: "stopping" }, "It is being stopped."],
    ["force", { status: "stopping" }, null],
    ["freeze", { status: "running" }, null],
    ["freeze", { status: "queued" }, "Not before it runs."],
    [
      "checkpoint",
      { status: "running", saves_checkpoints: false },
      "Its program has not said that it saves checkpoints.",
    ],
    ["checkpoint", { status: "running", saves_checkpoints: true }, null],
    ["resume", { status: "running" }, "Only what is paused can be resumed."],
    ["hold", { status: "queued", waiting_on: "slot" }, null],
    ["hold", { status: "queued", waiting_on: "hold" }, "It is held already."],
    ["release", { status: "queued", waiting_on: "slot" }, "It is not held."],
    ["release", { status: "queued", waiting_on: "hold" }, null],
    ["rerun", { status: "running" }, "Not before it has ended."],
    ["rerun", { status: "failed" }, null],
    [
      "rerun",
      { status: "failed", secrets: ["TOKEN"] },
      "Its secrets were not kept. Edit it, and give them again.",
    ],
    ["archive", { status: "failed", archived_at: "2026-01-01T00:00:00Z" }, "It is in the archive."],
    ["restore", { status: "failed" }, "It is not in the archive."],
    [
      "delete",
      { status: "running", delete_requested_at: "2026-01-01T00:00:00Z", delete_requested_by: "ann" },
      "ann has asked for that already.",
    ],
  ];
  it.each(cases)("%s, %o", (operation, fields, why) => {
    expect(whyNot(operation, recordWith(fields))).toBe(why);
  });

  it("names the scope that is missing first", () => {
    const record = recordWith({ status: "succeeded" });
    expect(whyNot("cancel", record, ["read"])).toBe("Your token has not the scope “cancel”.");
    expect(whyNot("rerun", record, ["read", "cancel"])).toBe("Your token has not the scope “submit”.");
    expect(whyNot("rerun", record, ["submit"])).toBeNull();
  });

  it("takes a request to pause back while it is not there yet", () => {
    const pause = {
      mode: "checkpoint",
      by: "ann",
      requested_at: "2026-01-01T00:00:00Z",
      paused_at: null,
      resume_by: null,
    } as const;
    const record = recordWith({ status: "running", saves_checkpoints: true, pause });
    expect(whyNot("resume", record)).toBeNull();
    expect(whyNot("freeze", record)).toBe("ann has asked for a pause already (checkpoint).");
    expect(whyNot("resume", { ...record, pause: { ...pause, resume_by: "bob" } })).toBe(
      "bob has asked for that already.",
    );
  });
});

it("goes on from a checkpoint that is there", () => {
  const kept = { files: 1, bytes: 70, expired_at: null };
  expect(whyNoCheckpoint(recordWith({ status: "canceled", checkpoint: kept }))).toBeNull();
  expect(
    whyNoCheckpoint(
      recordWith({ status: "canceled", checkpoint: { ...kept, expired_at: "2026-01-01T00:00:00Z" } }),
    ),
  ).toBe("Its checkpoint was removed.");
  expect(whyNoCheckpoint(recordWith({ status: "canceled" }))).toBe("It has left no checkpoint.");
  expect(whyNoCheckpoint(recordWith({ status: "running", checkpoint: kept }))).toBe(
    "Not before it has ended.",
  );
});

it("changes limits as long as they have a meaning", () => {
  expect(whyFixed("memory", recordWith({ status: "queued" }))).toBeNull();
  expect(whyFixed("memory", recordWith({ status: "running" }))).toBe("Only while it is queued.");
  expect(whyFixed("timeout", recordWith({ status: "running" }))).toBeNull();
  expect(whyFixed("timeout", recordWith({ status: "stopping" }))).toBe("It is being stopped.");
  expect(whyFixed("grace", recordWith({ status: "stopping" }))).toBeNull();
  expect(whyFixed("grace", recordWith({ status: "failed" }))).toBe(
    "It has ended: its limits are history. Run it again with others.",
  );
});
