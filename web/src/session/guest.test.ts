import { describe, expect, it } from "vitest";
import { asSeen, beGuest, guestToken, isForGuests, isGuest, keepingKey, keyOf, openedBy } from "./guest";

const TOKEN = "trs_9Q5xqkz1sXoBz0xq0gS1cT8m2hJ6oQe3yN4uVbWdKfA_0aB3xZ";

describe("the address of a share", () => {
  it("has its token behind #, before the lines that are named there", () => {
    expect(isForGuests("/shared/019a")).toBe(true);
    expect(isForGuests("/executions/019a")).toBe(false);
    expect(keyOf(`#${TOKEN}`)).toBe(TOKEN);
    expect(keyOf(`${TOKEN}/L3-L8`)).toBe(TOKEN);
    for (const hash of ["", "#", "#L3", "#trt_abc"]) expect(keyOf(hash)).toBe("");
  });

  it("keeps it when lines are named, or none any more", () => {
    expect(keepingKey(`#${TOKEN}`, "L3")).toBe(`${TOKEN}/L3`);
    expect(keepingKey(`${TOKEN}/L3`, "L4-L5")).toBe(`${TOKEN}/L4-L5`);
    expect(keepingKey(`${TOKEN}/L3`, "")).toBe(TOKEN);
    expect(keepingKey("#L3", "L4")).toBe("L4");
    expect(keepingKey("", "")).toBe("");
  });
});

describe("a guest", () => {
  it("asks by the share, whose token is in no address", () => {
    expect([isGuest(), guestToken(), asSeen("/v1/a")]).toEqual([false, null, "/v1/a"]);
    beGuest(`#${TOKEN}`);
    expect([isGuest(), guestToken(), asSeen("/v1/a")]).toEqual([true, TOKEN, "/v1/a"]);
    openedBy("019aa2c4");
    expect(asSeen("/v1/a")).toBe("/v1/a?share=019aa2c4");
    expect(asSeen("/v1/a?as=page")).toBe("/v1/a?as=page&share=019aa2c4");
  });
});
