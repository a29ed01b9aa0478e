import { expect, it } from "vitest";
import { lineOf } from "./lines";

const YAML = `name: word-count
version: 1.0.0
# inputs: not these
keywords:
- text
- example
inputs:
  type: object
  properties:
    word:
      type: string
      pattern: ^[a-z]+$
    type: {type: integer}
outputs:
  - path: a.txt
    required: false
  - {path: b.txt}
steps:
  fit:
    image: i
    needs: [a, b]
`;

it.each([
  ["name", 1],
  ["keywords", 4],
  ["keywords[1]", 6],
  ["inputs.type", 8],
  ["inputs.properties.word.pattern", 12],
  ["inputs.properties.type.minimum", 13],
  ["outputs[0].required", 16],
  ["outputs[1].path", 17],
  ["steps.fit.needs[1]", 21],
  ["limits.timeout", null],
])("%s is at line %s", (field, line) => {
  expect(lineOf(YAML, field)).toBe(line);
});

it("finds its way in JSON", () => {
  const json = JSON.stringify(
    { name: "a", inputs: { type: "object", properties: { word: { type: "string" } } } },
    null,
    2,
  );
  expect([
    lineOf(json, "name"),
    lineOf(json, "inputs.type"),
    lineOf(json, "inputs.properties.word.type"),
  ]).toEqual([2, 4, 7]);
});
