import { describe, expect, it } from "vitest";
import { patchOf } from "./json";
import { requestOf, sizeOf } from "./requests";

const one = { as: "one" } as const;

describe("requestOf", () => {
  it("leaves out what says nothing", () => {
    const body = {
      image: "busybox:local",
      command: [],
      name: "",
      env: {},
      limits: { timeout: 5 },
    };
    expect(requestOf({ kind: "image" }, { body, many: one })).toEqual({
      to: "executions",
      path: "/v1/executions",
      body: { image: "busybox:local", limits: { timeout: 5 } },
      prefix: "",
    });
  });

  it("keeps what is false, zero or empty within inputs", () => {
    const body = { inputs: { dry: false, rows: 0, text: "" }, priority: 0 };
    expect(requestOf({ kind: "method", method: "m@1.0.0" }, { body, many: one }).body).toEqual({
      method: "m@1.0.0",
      inputs: { dry: false, rows: 0, text: "" },
      priority: 0,
    });
  });

  it("makes a batch of a sweep, of which the form has the defaults", () => {
    const axes = [
      { of: "inputs" as const, name: "rate", values: [0.1, 0.01] },
      { of: "env" as const, name: "SEED", values: ["1", "2", "3"] },
    ];
    const draft = {
      body: { image: "i", name: "sweep" },
      many: { as: "matrix" as const, axes },
      maxParallel: 2,
    };
    const request = requestOf({ kind: "image" }, draft);
    expect(request.body).toEqual({
      name: "sweep",
      defaults: { image: "i", name: "sweep" },
      matrix: { inputs: { rate: [0.1, 0.01] }, env: { SEED: ["1", "2", "3"] } },
      max_parallel: 2,
    });
    expect([request.path, request.prefix, sizeOf(draft.many)]).toEqual(["/v1/batches", "defaults.", 6]);
  });

  it("submits a method with steps as a batch of them", () => {
    const body = { inputs: { rate: 0.5 }, name: "n", limits: { timeout: 5 } };
    expect(
      requestOf({ kind: "steps", method: "nightly@1.0.0" }, { body, many: one, failFast: true }).body,
    ).toEqual({
      method: "nightly@1.0.0",
      inputs: { rate: 0.5 },
      name: "n",
      defaults: { limits: { timeout: 5 } },
      fail_fast: true,
    });
  });
});

it("a patch replaces lists as a whole", () => {
  expect(patchOf({ a: [1, 2], b: { c: 1, d: 2 } }, { a: [1], b: { c: 1, e: 3 } })).toEqual({
    a: [1],
    b: { d: null, e: 3 },
  });
});
