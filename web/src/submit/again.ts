/** Running an execution again: what its record tells as a form has it, and what is asked for beside its fields. Pure. */
import type { Execution, Schemas } from "../api/types";
import { isObject, type Json, type JsonObject, tidied } from "./json";
import type { Document } from "./presets";
import type { Body } from "./requests";

/** A value that is on record, and not shown: it stays as it was. */
export const KEPT = "\u0000";

type Submission = keyof Schemas["Submission"];
/** What a form does not begin with as the record has it. */
type Otherwise =
  // What the execution is of, and stays.
  | "method"
  | "profile"
  // Told by their names, or by another one.
  | "env"
  | "secrets"
  | "outputs"
  // A rerun begins anew with these.
  | "webhooks"
  | "not_before"
  | "hold"
  // Chosen beside the form: see `Start`.
  | "resume_from";
type Copied = Exclude<Submission, Otherwise>;

const COPIED = Object.keys({
  image: true,
  command: true,
  entrypoint: true,
  named_secrets: true,
  inputs: true,
  files: true,
  name: true,
  note: true,
  labels: true,
  workdir: true,
  user: true,
  stop_signal: true,
  network: true,
  runtime: true,
  image_policy: true,
  pool: true,
  priority: true,
  lane: true,
  limits: true,
  logical_time: true,
  max_attempts: true,
  retry_on: true,
  on_timeout: true,
  on_interrupted: true,
  exit_codes: true,
  setup: true,
  teardown: true,
  keep_workspace: true,
  archive: true,
} satisfies Record<Copied, true>) as Copied[];

/** What is the method's own of an execution by method. */
const OWN: readonly Submission[] = [
  "image",
  "command",
  "entrypoint",
  "workdir",
  "user",
  "stop_signal",
  "network",
  "image_policy",
  "setup",
  "teardown",
  "outputs",
  "exit_codes",
];
const FILES = "/tailrace/inputs/";
const OF_INPUT = "INPUT_";

/** What a form begins with: of a method, without what is that's own; else all that it was made of. */
export function bodyOf(
  record: Execution,
  document: Document | null = null,
  files: readonly string[] = [],
): Body {
  const said: Pick<Execution, Copied> = record;
  const body: Body = Object.fromEntries(COPIED.map((name) => [name, said[name] as Json]));
  body["outputs"] = record.declared_outputs.map((each) => tidied({ ...each }));
  body["env"] = kept(record.env);
  body["secrets"] = kept(record.secrets);
  if (!record.keep_workspace) delete body["keep_workspace"];
  if (!record.method || !document) return tidied(body);
  for (const name of OWN) delete body[name];
  // What the method says itself it says again.
  const { env = {}, named_secrets = {} } = document;
  body["env"] = kept(record.env.filter((name) => !(name in env)));
  body["named_secrets"] = Object.fromEntries(
    Object.entries(record.named_secrets).filter(([key, { name }]) => named_secrets[key]?.name !== name),
  );
  // Secret inputs are asked for as inputs.
  body["secrets"] = kept(record.secrets.filter((name) => !name.startsWith(OF_INPUT)));
  return tidied(withFilesAsInputs(body, files));
}

function kept(names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, KEPT]));
}

/** File inputs of a method are on record by their paths; here they are what is behind these. */
function withFilesAsInputs(body: Body, fileInputs: readonly string[]): Body {
  const inputs = isObject(body["inputs"]) ? { ...body["inputs"] } : {};
  const files = isObject(body["files"]) ? { ...body["files"] } : {};
  for (const name of fileInputs) {
    const path = String(inputs[name] ?? "").replace(FILES, "");
    const source = files[path];
    if (!isObject(source)) continue;
    delete files[path];
    inputs[name] = { ...source, name: path.slice(path.indexOf("/") + 1) };
  }
  return { ...body, inputs, files };
}

/** Secrets of the record that a rerun by method was not given again: null does without them. */
export function forgottenSecrets(record: Execution, secretInputs: readonly string[], body: Body): JsonObject {
  const given = isObject(body["inputs"]) ? body["inputs"] : {};
  const missing = secretInputs.filter(
    (name) => record.secrets.includes(`${OF_INPUT}${name.toUpperCase()}`) && given[name] === undefined,
  );
  return Object.fromEntries(missing.map((name) => [name, null]));
}

/** With what it starts: from its own last checkpoint, with what it had itself started from, or with nothing. */
export type Start = "own" | "same" | "nothing";

/** The ways to start that there are. */
export function startsOf(record: Execution): Start[] {
  return [
    ...(record.checkpoint.files > 0 ? (["own"] as const) : []),
    ...(record.lineage.resumed_from ? (["same"] as const) : []),
    "nothing",
  ];
}

/** What is asked for beside the fields of the form. */
export function besidesOf(record: Execution, start: Start, isPlain: boolean): JsonObject {
  return {
    ...(isPlain && record.method ? { method: null } : {}),
    ...(start === "own" ? { from_checkpoint: true } : {}),
    ...(start === "nothing" && record.lineage.resumed_from ? { resume_from: null } : {}),
  };
}
