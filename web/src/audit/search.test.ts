import { expect, test } from "vitest";
import { changed, exportAddress, readSearch } from "./search";

test("An address is read by the names of the API, and nothing else of it", () => {
  const raw = {
    actor: "ann",
    owner: 42,
    refused: true,
    action: "",
    sort: "x",
    since: ["a"],
    object: "methods/a",
  };
  expect(readSearch(raw)).toEqual({ actor: "ann", owner: "42", refused: true, object: "methods/a" });
  expect(readSearch({ refused: "yes" })).toEqual({});
});

test("A filter is put and taken away", () => {
  expect(changed({ actor: "ann", refused: true }, { actor: "bob" })).toEqual({ actor: "bob", refused: true });
  expect(changed({ actor: "ann", refused: true }, { refused: undefined })).toEqual({ actor: "ann" });
});

test("The file has what the page has", () => {
  const address = exportAddress({ object: "methods/a b", refused: false }, "csv");
  expect(address).toBe("/v1/audit/export?object=methods%2Fa+b&refused=false&format=csv");
});
