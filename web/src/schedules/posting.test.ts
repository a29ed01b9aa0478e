import { expect, test } from "vitest";
import { exampleBody, postingOf } from "./posting";

const ADDRESS = "http://127.0.0.1:8700/v1/triggers/1/deliveries";

test("A token in the address is all that it takes", () => {
  const posting = postingOf({
    address: `${ADDRESS}?token=trg_a`,
    signature: null,
    secret: null,
    body: '{"word":"it\'s"}',
  });
  expect(posting).toBe(`curl -X POST '${ADDRESS}?token=trg_a' -d '{"word":"it'"'"'s"}'`);
});

test("A signature is made of what is posted", () => {
  const said = { address: ADDRESS, body: "{}", secret: "a secret of theirs" };
  expect(postingOf({ ...said, signature: "github" })).toContain("secret='a secret of theirs'\n");
  expect(postingOf({ ...said, signature: "standard_webhooks" })).toContain(
    "webhook-signature: v1,$signature",
  );
  expect(postingOf({ ...said, secret: null, signature: "github" })).toContain("secret=…\n");
});

test("What might be posted are the inputs of the target", () => {
  const inputs = { ref: "main", token: "***" };
  expect(exampleBody({ target: { execution: { image: "a", inputs } }, payload_input: null })).toBe(
    '{"ref":"main"}',
  );
  expect(exampleBody({ target: { batch: { defaults: { inputs } } }, payload_input: null })).toBe(
    '{"ref":"main"}',
  );
  expect(exampleBody({ target: { execution: { image: "a" } }, payload_input: null })).toBe("{}");
  expect(exampleBody({ target: { execution: { image: "a" } }, payload_input: "event" })).toBe(
    '{"ref":"main"}',
  );
});
