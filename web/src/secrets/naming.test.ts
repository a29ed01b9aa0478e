import { expect, test } from "vitest";
import { nameFault, secretsIn } from "./naming";

test("A name is judged as the API judges it", () => {
  for (const good of ["hub-token", "db", "a.b_c-1", "9", "a".repeat(100)])
    expect(nameFault(good, [])).toBeNull();
  for (const bad of ["-a", "a b", "ä", "a/b", "a".repeat(101)])
    expect(nameFault(bad, [])).toContain("Letters");
  expect(nameFault("", [])).toBeNull();
  expect(nameFault("db", ["db"])).toContain("replace");
});

test("What refers to a secret is found wherever it stands", () => {
  const reference = (name: string) => ({ named_secrets: { KEY: { name, via: "env" } } });
  const targets = [
    { execution: { image: "a", ...reference("one") } },
    { batch: { defaults: reference("two"), items: [{ inputs: {} }, reference("three"), null] } },
    { execution: { image: "a", named_secrets: null, env: { name: "four" } } },
  ];
  expect([...secretsIn(targets)]).toEqual(["one", "two", "three"]);
  expect(secretsIn(undefined).size).toBe(0);
});
