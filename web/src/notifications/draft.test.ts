import { expect, test } from "vitest";
import { bodyOf, draftOf } from "./draft";

test("What goes only with some of it is left out of the others", () => {
  const draft = {
    ...draftOf(undefined),
    causes: ["oom_killed" as const],
    per: "label" as const,
    perLabel: "team",
  };
  expect(bodyOf(draft)).toMatchObject({
    alert_after: null,
    per: "name",
    causes: ["oom_killed"],
    batches: false,
  });
  expect(bodyOf({ ...draft, what: "streaks" })).toMatchObject({ alert_after: 3, per: "label:team" });
  expect(bodyOf({ ...draft, what: "batches" })).toMatchObject({
    alert_after: null,
    causes: [],
    batches: true,
  });
});
