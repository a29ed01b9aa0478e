import { describe, expect, it } from "vitest";
import { fieldsOf, inWords, kindOf, ruleOf, typed } from "./fields";

describe("kindOf", () => {
  it.each([
    [{ type: "string" }, "paragraph"],
    [{ type: "string", maxLength: 40 }, "text"],
    [{ type: "string", pattern: "^a$" }, "text"],
    [{ type: "string", format: "file" }, "file"],
    [{ type: "string", format: "secret" }, "secret"],
    [{ type: "string", format: "date" }, "date"],
    [{ type: "string", format: "date-time" }, "moment"],
    [{ type: "string", enum: ["a", "b"] }, "choice"],
    [{ type: "integer" }, "integer"],
    [{ type: "integer", enum: [1, 2] }, "choice"],
    [{ type: "number" }, "number"],
    [{ type: "boolean" }, "boolean"],
    [{ type: "array", items: { type: "string", enum: ["a"] } }, "choices"],
    [{ type: "array", items: { type: "number" } }, "list"],
    [{ type: "array", items: { type: "object" } }, "json"],
    [{ type: "object" }, "json"],
    [{}, "json"],
  ])("%j is asked for as %s", (schema, kind) => {
    expect(kindOf(schema)).toBe(kind);
  });
});

describe("ruleOf", () => {
  it.each([
    [{ type: "integer", minimum: 1, maximum: 100 }, "1 to 100"],
    [{ type: "number", exclusiveMinimum: 0 }, "more than 0"],
    [{ type: "number", minimum: 0, multipleOf: 0.5 }, "at least 0, a multiple of 0.5"],
    [{ type: "string", maxLength: 1, pattern: "^a$" }, "at most 1 character, matching ^a$"],
    [{ type: "string", minLength: 3, maxLength: 3 }, "3 characters"],
    [
      { type: "array", minItems: 2, uniqueItems: true, items: { type: "integer", maximum: 9 } },
      "at least 2 items, each once, each at most 9",
    ],
    [{ type: "string" }, null],
  ])("%j: %s", (schema, rule) => {
    expect(ruleOf(schema)).toBe(rule);
  });
});

describe("fieldsOf", () => {
  it("keeps their order, and tells which are required", () => {
    const schema = {
      type: "object",
      properties: {
        text: { type: "string", title: "The text" },
        top_k: { type: "integer", default: 3, examples: [5] },
      },
      required: ["text"],
    };
    expect(fieldsOf(schema)).toMatchObject([
      { name: "text", label: "The text", required: true, default: undefined },
      { name: "top_k", label: "Top k", required: false, default: 3, example: "5" },
    ]);
  });

  it("has none of what is no schema", () => {
    expect(fieldsOf(undefined)).toEqual([]);
    expect(fieldsOf({ type: "object" })).toEqual([]);
  });
});

it("inWords spells names", () => {
  expect([inWords("learning_rate"), inWords("maxDepth"), inWords("x")]).toEqual([
    "Learning rate",
    "Max Depth",
    "X",
  ]);
});

it("typed keeps what is none of its type, for the API to tell", () => {
  expect([
    typed("1", "integer"),
    typed("1", "string"),
    typed("1.5.", "number"),
    typed("true", "boolean"),
  ]).toEqual([1, "1", "1.5.", true]);
});
