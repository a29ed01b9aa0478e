import { describe, expect, it } from "vitest";
import { parseSearch, stringifySearch } from "../api/addresses";
import { filterBody, hasFilters, readSearch } from "./search";

describe("what a list is narrowed to", () => {
  it("comes through an address as it was", () => {
    const search = readSearch({
      q: "123",
      status: ["queued", "running"],
      label: ["team=a,b", "x"],
      pool: ["42"],
      min_duration: 2.5,
      has_warnings: true,
      sort: "-duration",
    });
    const address = stringifySearch({ ...search });
    expect(address).toContain("status=queued&status=running");
    expect(readSearch(parseSearch(address))).toEqual(search);
  });

  it("takes nothing from an address that no list can be narrowed to", () => {
    expect(
      readSearch(parseSearch("?status=done&status=failed&sort=name&min_duration=-1&colour=red&q=")),
    ).toEqual({
      status: ["failed"],
    });
  });

  it("is what is sent to do something to all of it", () => {
    const body = filterBody(
      { label: ["team=a", "tier", "a\\=b=c"], status: ["failed"], sort: "created" },
      "live",
    );
    expect(body).toEqual({
      status: ["failed"],
      label: { team: "a", tier: null, "a=b": "c" },
      archived: "false",
    });
  });

  it("has to be meant where it is nothing", () => {
    expect(hasFilters({ sort: "created" })).toBe(false);
    expect(filterBody({ sort: "created" }, "archive")).toEqual({ archived: "true", all: true });
  });
});
