import { joinArgv, quoted } from "./argv";
import { isObject, type Json, type JsonObject } from "./json";
import type { SubmitRequest } from "./requests";

export type Language = "cli" | "python" | "curl" | "json";

export const LANGUAGES: { value: Language; label: string }[] = [
  { value: "cli", label: "CLI" },
  { value: "python", label: "Python" },
  { value: "curl", label: "curl" },
  { value: "json", label: "JSON" },
];

/** Stands for a secret in what is shown; its name is that of the variable which has it. */
const MARK = "\u0001";

/** The same request in another language. No secret is in it: each comes from a variable of its own name. */
export function codeOf(
  request: SubmitRequest,
  language: Language,
  origin: string,
  secretInputs: string[],
): string {
  const body = confided(request.body, secretInputs);
  switch (language) {
    case "json":
      return JSON.stringify(body, null, 2).replaceAll(new RegExp(`"${escapedMark}(\\w+)"`, "g"), '"***"');
    case "curl":
      return curl(request, body, origin);
    case "python":
      return python(request, body);
    case "cli":
      return cli(request, body);
  }
}

const escapedMark = "\\\\u0001";

/** With marks in place of secrets; those that are inputs become the variables that the program finds. */
function confided(body: JsonObject, secretInputs: string[]): JsonObject {
  if (isObject(body["defaults"])) return { ...body, defaults: confided(body["defaults"], secretInputs) };
  const inputs = isObject(body["inputs"]) ? { ...body["inputs"] } : {};
  const secrets: JsonObject = {};
  for (const [name, value] of Object.entries(isObject(body["secrets"]) ? body["secrets"] : {}))
    secrets[name] = value === null ? null : MARK + name;
  for (const name of secretInputs) {
    if (typeof inputs[name] !== "string") continue;
    delete inputs[name];
    const variable = `INPUT_${name.toUpperCase()}`;
    secrets[variable] = MARK + variable;
  }
  const said = { ...body, inputs, ...(isEmpty(secrets) ? {} : { secrets }) };
  return Object.fromEntries(Object.entries(said).filter(([name]) => name !== "inputs" || !isEmpty(inputs)));
}

function isEmpty(value: JsonObject): boolean {
  return Object.keys(value).length === 0;
}

function curl({ path }: SubmitRequest, body: JsonObject, origin: string): string {
  const json = JSON.stringify(body, null, 2)
    .replaceAll("'", `'"'"'`)
    .replaceAll(new RegExp(`${escapedMark}(\\w+)`, "g"), `'"$$$1"'`);
  return [
    `curl -s ${quoted(origin + path)} \\`,
    '  -H "Authorization: Bearer $TAILRACE_TOKEN" \\',
    "  -H 'Content-Type: application/json' \\",
    '  -H "Idempotency-Key: $(uuidgen)" \\',
    `  -d '${json}'`,
  ].join("\n");
}

function python({ to, path }: SubmitRequest, body: JsonObject): string {
  const usesSecrets = JSON.stringify(body).includes("\\u0001");
  const head = [
    ...(usesSecrets ? ["import os", ""] : []),
    "from tailrace import Client",
    "",
    "client = Client()",
  ];
  if (to === "batches")
    return [...head, `batch = client.batch(${pythonOf(body, 0)})`, "batch.wait(check=True)"].join("\n");
  const call =
    to === "rerun"
      ? `client.get("${path.split("/")[3]}").rerun(${keywords(body)})`
      : `client.run(${keywords(body)})`;
  return [
    ...head,
    `handle = ${call}`,
    "for line in handle.logs(follow=True):",
    "    print(line)",
    "handle.wait(check=True)",
  ].join("\n");
}

function keywords(body: JsonObject): string {
  const said = Object.entries(body).map(([name, value]) => `    ${name}=${pythonOf(value, 1)},\n`);
  return said.length > 0 ? `\n${said.join("")}` : "";
}

/** A value as Python writes it. */
export function pythonOf(value: Json, depth: number): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string")
    return value.startsWith(MARK) ? `os.environ["${value.slice(1)}"]` : textOf(value);
  if (typeof value === "number") return JSON.stringify(value);
  const parts = Array.isArray(value)
    ? value.map((item) => pythonOf(item, depth + 1))
    : Object.entries(value).map(([name, each]) => `${textOf(name)}: ${pythonOf(each, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const line = parts.join(", ");
  if (line.length + depth * 4 <= 80 && !line.includes("\n")) return `${open}${line}${close}`;
  const indent = "    ".repeat(depth + 1);
  return `${open}\n${parts.map((part) => `${indent}${part},\n`).join("")}${"    ".repeat(depth)}${close}`;
}

/** JSON's escapes are Python's, but for pairs of surrogates, which `stringify` does not write. */
function textOf(text: string): string {
  return JSON.stringify(text);
}

const RUN_OPTIONS: { [field: string]: string } = {
  ...{
    method: "--method",
    profile: "--profile",
    name: "--name",
    note: "--note",
    pool: "--pool",
    lane: "--lane",
  },
  ...{
    workdir: "--workdir",
    user: "--user",
    network: "--network",
    image_policy: "--pull",
    not_before: "--not-before",
  },
  ...{
    resume_from: "--resume-from",
    archive: "--archive",
    stop_signal: "--stop-signal",
    runtime: "--runtime",
  },
  ...{ priority: "--priority", max_attempts: "--max-attempts", on_timeout: "--on-timeout" },
  ...{ on_interrupted: "--on-interrupted", logical_time: "--logical-time" },
};
const PAIR_OPTIONS: { [field: string]: string } = {
  env: "-e",
  inputs: "-i",
  labels: "--label",
  limits: "--limit",
};

function cli({ to, path }: SubmitRequest, body: JsonObject): string {
  if (to === "batches") return fromDocument("tailrace batch run --spec -", body);
  if (to === "rerun") return fromDocument(`tailrace rerun ${path.split("/")[3]}`, body, "--spec -");
  const { image, command, ...rest } = body;
  const argv = Array.isArray(command) ? command.map(String) : [];
  const words = [
    "tailrace run",
    ...(typeof image === "string" ? [quoted(image)] : []),
    ...Object.entries(rest).flatMap(([name, value]) => optionsOf(name, value)),
    ...(argv.length > 0 ? [`-- ${joinArgv(argv)}`] : []),
  ];
  const line = words.join(" ");
  return line.length <= 80 ? line : words.join(" \\\n  ");
}

function optionsOf(name: string, value: Json): string[] {
  const option = RUN_OPTIONS[name];
  if (option && !isObject(value)) return [`${option} ${quoted(String(value))}`];
  if (name === "secrets" && isObject(value)) return Object.keys(value).map((key) => `-s ${key}`);
  if (name === "hold" && value === true) return ["--hold"];
  const pair = PAIR_OPTIONS[name];
  if (pair && isObject(value) && Object.keys(value).every((key) => !key.includes("=")))
    return Object.entries(value).map(
      ([key, each]) => `${pair} ${quoted(`${key}=${spelledFor(name, each)}`)}`,
    );
  if (name === "files" && isObject(value)) return Object.entries(value).map(fileOption);
  return [`--set ${quoted(`${name}=${JSON.stringify(value)}`)}`];
}

/** Inputs are read as JSON where they are some: texts that look like it stand in quotes. */
function spelledFor(name: string, value: Json): string {
  if (typeof value !== "string") return JSON.stringify(value);
  if (name !== "inputs") return value;
  try {
    JSON.parse(value);
    return JSON.stringify(value);
  } catch {
    return value;
  }
}

function fileOption([path, source]: [string, Json]): string {
  if (isObject(source) && typeof source["id"] === "string")
    return `-f ${quoted(`${path}=id:${source["id"]}`)}`;
  if (isObject(source) && typeof source["url"] === "string" && !source["sha256"])
    return `-f ${quoted(`${path}=${source["url"]}`)}`;
  return `--set ${quoted(`files=${JSON.stringify({ [path]: source })}`)}`;
}

/** A whole document, which the command reads. Secrets come from the shell's variables. */
function fromDocument(command: string, body: JsonObject, option = ""): string {
  if (Object.keys(body).length === 0) return command;
  const json = JSON.stringify(body, null, 2);
  const [plain, end] = json.includes("\\u0001") ? [json.replace(/[$`]/g, "\\$&"), "EOF"] : [json, "'EOF'"];
  const text = plain.replaceAll(new RegExp(`${escapedMark}(\\w+)`, "g"), "$$$1");
  return `${command}${option ? ` ${option}` : ""} <<${end}\n${text}\nEOF`;
}
