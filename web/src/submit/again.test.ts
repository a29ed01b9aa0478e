import { describe, expect, it } from "vitest";
import { recordWith } from "../execution/record.fixture";
import { besidesOf, bodyOf, forgottenSecrets, KEPT, startsOf } from "./again";
import { requestOf } from "./requests";

const record = recordWith({
  image: "i",
  command: ["a"],
  env: ["DEBUG", "LEVEL"],
  secrets: ["TOKEN"],
  inputs: { rows: 1 },
  labels: { team: "a" },
  workdir: "/srv",
  stop_signal: "SIGINT",
  declared_outputs: [{ path: "a.txt", required: true, media_type: null, title: null }],
});
const before = bodyOf(record);

function patched(changes: object, more = {}) {
  const subject = { kind: "rerun" as const, of: "x", before, more };
  return requestOf(subject, { body: { ...before, ...changes }, many: { as: "one" } }).body;
}

describe("running again", () => {
  it("begins with all that the record tells, and sends nothing of what stays", () => {
    expect(before).toMatchObject({
      env: { DEBUG: KEPT, LEVEL: KEPT },
      secrets: { TOKEN: KEPT },
      workdir: "/srv",
      stop_signal: "SIGINT",
      network: "none",
      outputs: [{ path: "a.txt", required: true }],
    });
    expect(patched({})).toEqual({});
  });

  it("sends what was changed, and null for what was taken away", () => {
    expect(patched({ env: {}, labels: { tier: "b" }, inputs: { rows: 2 }, command: ["a", "b"] })).toEqual({
      env: null,
      labels: { team: null, tier: "b" },
      inputs: { rows: 2 },
      command: ["a", "b"],
    });
    expect(patched({ secrets: { TOKEN: "new" }, name: "again", workdir: undefined })).toEqual({
      secrets: { TOKEN: "new" },
      name: "again",
      workdir: null,
    });
  });

  it("changes, adds and takes away variables without knowing the others", () => {
    expect(patched({ env: { LEVEL: "2", MORE: "3" } })).toEqual({
      env: { DEBUG: null, LEVEL: "2", MORE: "3" },
    });
    expect(patched({ env: { DEBUG: KEPT, LEVEL: KEPT, MORE: "3" } })).toEqual({ env: { MORE: "3" } });
  });

  it("changes one limit, and brings the default of another back", () => {
    const { notice: _, ...limits } = { ...record.limits, timeout: 60, grace: undefined };
    expect(patched({ limits })).toEqual({ limits: { timeout: 60, grace: null, notice: null } });
  });

  it("starts where it is told to", () => {
    const again = recordWith({
      checkpoint: { files: 1, bytes: 9, expired_at: null },
      lineage: { resumed_from: "first", rerun_of: null, schedule: null, batch: null },
    });
    expect(startsOf(again)).toEqual(["own", "same", "nothing"]);
    expect(startsOf(record)).toEqual(["nothing"]);
    expect(besidesOf(again, "own", false)).toEqual({ from_checkpoint: true });
    expect(besidesOf(again, "same", false)).toEqual({});
    expect(besidesOf(again, "nothing", false)).toEqual({ resume_from: null });
    expect(besidesOf(record, "nothing", false)).toEqual({});
  });
});

describe("running again by method", () => {
  const method = { name: "m", version: "1.0.0", profile: null };
  const byMethod = recordWith({
    method,
    command: ["run", "cat.txt"],
    env: ["BY_METHOD", "MINE"],
    inputs: { text: "/tailrace/inputs/text/cat.txt", word: "a" },
    files: { "text/cat.txt": { id: "f" }, "more.txt": { text: "b" } },
    named_secrets: { HUB: { name: "hub", via: "file" }, DB: { name: "mine", via: "env" } },
    secrets: ["INPUT_TOKEN", "OTHER"],
  });
  const document = { env: { BY_METHOD: "1" }, named_secrets: { HUB: { name: "hub" } } };

  it("asks for files by its inputs, and leaves out what is the method's own", () => {
    const body = bodyOf(byMethod, document, ["text"]);
    expect(body).toMatchObject({
      inputs: { text: { id: "f", name: "cat.txt" }, word: "a" },
      files: { "more.txt": { text: "b" } },
      secrets: { OTHER: KEPT },
    });
    expect([body["env"], body["named_secrets"]]).toEqual([
      { MINE: KEPT },
      { DB: { name: "mine", via: "env" } },
    ]);
    for (const own of ["image", "command", "stop_signal", "network", "image_policy"])
      expect(body).not.toHaveProperty(own);
  });

  it("does without the secrets that are not given again", () => {
    expect(forgottenSecrets(byMethod, ["token"], {})).toEqual({ token: null });
    expect(forgottenSecrets(byMethod, ["token"], { inputs: { token: "x" } })).toEqual({});
  });

  it("is what it was made of where the method is left out", () => {
    expect(bodyOf(byMethod)).toMatchObject({
      image: byMethod.image,
      command: ["run", "cat.txt"],
      env: { BY_METHOD: KEPT, MINE: KEPT },
      secrets: { INPUT_TOKEN: KEPT, OTHER: KEPT },
    });
    expect(besidesOf(byMethod, "nothing", true)).toEqual({ method: null });
  });
});
