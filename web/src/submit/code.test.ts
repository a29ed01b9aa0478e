import { expect, it } from "vitest";
import { codeOf, pythonOf } from "./code";
import type { SubmitRequest } from "./requests";

const run = (body: SubmitRequest["body"]): SubmitRequest => ({
  to: "executions",
  path: "/v1/executions",
  body,
  prefix: "",
});
const origin = "http://localhost:8700";

it("is a command line of options", () => {
  const request = run({
    image: "busybox:local",
    command: ["sh", "-c", "echo it's $A"],
    inputs: { rows: 3, text: "3", word: "a b" },
    limits: { memory: "64MiB" },
    retry_on: ["oom_killed"],
    hold: true,
  });
  expect(codeOf(request, "cli", origin, [])).toBe(
    [
      "tailrace run",
      "busybox:local",
      "-i rows=3",
      `-i 'text="3"'`,
      "-i 'word=a b'",
      "--limit memory=64MiB",
      `--set 'retry_on=["oom_killed"]'`,
      "--hold",
      `-- sh -c 'echo it'"'"'s $A'`,
    ].join(" \\\n  "),
  );
});

it("has no secret in any language", () => {
  const request = run({ method: "m", inputs: { token: "hush", a: 1 }, secrets: { KEY: "hush" } });
  for (const language of ["cli", "python", "curl", "json"] as const)
    expect(codeOf(request, language, origin, ["token"])).not.toContain("hush");
  expect(codeOf(request, "curl", origin, ["token"])).toContain(`"INPUT_TOKEN": "'"$INPUT_TOKEN"'"`);
  expect(codeOf(request, "python", origin, ["token"])).toContain(`os.environ["KEY"]`);
  expect(codeOf(request, "cli", origin, ["token"])).toContain("-s KEY -s INPUT_TOKEN");
  expect(codeOf(request, "json", origin, ["token"])).toContain('"KEY": "***"');
});

it("writes values as Python does", () => {
  expect(pythonOf({ a: [true, null, 'x"'], b: 1.5 }, 0)).toBe('{"a": [True, None, "x\\""], "b": 1.5}');
});

it("runs again with what is otherwise", () => {
  const request: SubmitRequest = {
    to: "rerun",
    path: "/v1/executions/abc/rerun",
    body: { inputs: { a: 2 } },
    prefix: "",
  };
  expect(codeOf(request, "cli", origin, [])).toBe(
    `tailrace rerun abc --spec - <<'EOF'\n{\n  "inputs": {\n    "a": 2\n  }\n}\nEOF`,
  );
  expect(codeOf({ ...request, body: {} }, "python", origin, [])).toContain('client.get("abc").rerun()');
});
