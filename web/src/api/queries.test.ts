import { describe, expect, it } from "vitest";
import { problemOf, unreachable } from "./problem";
import { isTransient, waitAfter } from "./queries";

const tooFast = (seconds: string) =>
  problemOf(
    Response.json(
      { type: "urn:tailrace:problem:rate_limited", title: "Too many requests", detail: "…" },
      { status: 429, headers: { "Retry-After": seconds } },
    ),
  );

describe("asking again", () => {
  it("waits for as long as the API says, if that is not long", async () => {
    const problem = await tooFast("3");
    expect(isTransient(problem)).toBe(true);
    expect(waitAfter(0, problem, 0.5)).toBe(3500);
    expect(isTransient(await tooFast("60"))).toBe(false);
  });

  it("waits longer each time where no answer came, and does not ask again for what is refused", async () => {
    expect([0, 1].map((failures) => waitAfter(failures, unreachable(), 0))).toEqual([1000, 2000]);
    expect(isTransient(unreachable())).toBe(true);
    expect(isTransient(await problemOf(new Response(null, { status: 404 })))).toBe(false);
  });
});
