import { Stack, Text } from "@mantine/core";
import type { Execution, Schemas } from "../api/types";
import { CopyButton } from "../ui/CopyButton";
import { TextLink } from "../ui/IdLink";
import { JsonView } from "../ui/JsonView";
import { RelativeTime } from "../ui/RelativeTime";
import classes from "./Execution.module.css";
import { type Fact, Facts } from "./Facts";
import { Panel } from "./Panel";
import { commandLine, spellLimit } from "./spelling";
import { expirySentence } from "./standing";

/** What was asked for: the program and what it gets, where it runs, and when it is tried again. */
export function DetailsPanel({ record }: { record: Execution }) {
  return (
    <Stack>
      <Panel title="Program">
        <Facts wide facts={programOf(record)} />
      </Panel>
      <Panel title="What it gets">
        <Facts wide facts={givenTo(record)} />
        {Object.keys(record.inputs).length > 0 && (
          <Stack gap={4} mt="sm">
            <Text fz="xs" c="dimmed">
              Inputs
            </Text>
            <JsonView value={record.inputs} label="Inputs" />
          </Stack>
        )}
      </Panel>
      <Panel title="Where, and how often">
        <Facts wide facts={placeOf(record)} />
      </Panel>
      <Panel title="What is kept">
        <Facts wide facts={keptOf(record)} />
      </Panel>
    </Stack>
  );
}

function Command({ argv, label }: { argv: readonly string[]; label: string }) {
  const line = commandLine(argv);
  return (
    <div style={{ display: "flex", alignItems: "flex-start" }}>
      {/* It scrolls, so keys have to reach it. */}
      <section className={classes.command} tabIndex={0} aria-label={label}>
        {line}
      </section>
      <CopyButton value={line} what="Copy for a shell" />
    </div>
  );
}

function names(values: readonly string[]) {
  return values.length > 0 ? <code>{values.join(", ")}</code> : "none";
}

function programOf(record: Execution): Fact[] {
  const { method, command, entrypoint, setup, teardown } = record;
  return [
    ...(method
      ? ([
          [
            "Method",
            <TextLink key="method" to="/methods/$name" params={{ name: method.name }}>
              {method.name}@{method.version}
              {method.profile && `, preset ${method.profile}`}
            </TextLink>,
          ],
        ] satisfies Fact[])
      : []),
    ["Image", <code key="image">{record.image}</code>],
    ["Its digest", record.image_digest ? <code key="digest">{record.image_digest}</code> : "–"],
    [
      "Entrypoint",
      entrypoint ? <Command key="entrypoint" argv={entrypoint} label="Entrypoint" /> : "the image's own",
    ],
    ["Command", command ? <Command key="command" argv={command} label="Command" /> : "the image's own"],
    ...stage("Setup", setup),
    ...stage("Teardown", teardown),
    ["Directory", record.workdir ? <code key="workdir">{record.workdir}</code> : "the image's own"],
    ["User", record.user ? <code key="user">{record.user}</code> : "the image's own"],
    ["Signal to stop", <code key="signal">{record.stop_signal}</code>],
    ["Network", record.network === "none" ? "none" : "that of the engine (bridge)"],
    ["Runtime", record.runtime ? <code key="runtime">{record.runtime}</code> : "the engine's own"],
    ["Image is pulled", PULLED[record.image_policy]],
  ];
}

const PULLED: Readonly<Record<Execution["image_policy"], string>> = {
  missing: "if it is missing",
  always: "always",
  never: "never",
};

function stage(name: string, given: Schemas["Stage"] | null): Fact[] {
  if (!given) return [];
  return [
    [
      name,
      <Stack key={name} gap={2}>
        <Command argv={given.command} label={name} />
        <Text fz="xs" c="dimmed">
          at most {spellLimit(given.timeout)}
        </Text>
      </Stack>,
    ],
  ];
}

function givenTo(record: Execution): Fact[] {
  const named = Object.entries(record.named_secrets);
  return [
    ["Variables", names(record.env)],
    ["Secrets", names(record.secrets)],
    ...named.map(
      ([key, { name, via }]): Fact => [
        `Secret ${key}`,
        `${name}, as a ${via === "env" ? "variable" : "file"}`,
      ],
    ),
    ...Object.entries(record.files).map(
      ([path, source]): Fact => [path, <FileSource key={path} source={source} />],
    ),
    ...(record.logical_time
      ? ([["The time that it is about", <code key="about">{record.logical_time}</code>]] satisfies Fact[])
      : []),
  ];
}

function FileSource({ source }: { source: Schemas["FileSource"] }) {
  if (source.id) return <code>file {source.id}</code>;
  if (source.url) return <code>{source.url}</code>;
  return <>given with it</>;
}

function placeOf(record: Execution): Fact[] {
  const codes = Object.entries(record.exit_codes).map(([code, meaning]) => `${code} means ${meaning}`);
  return [
    ["Pool", record.pool],
    ["Lane, priority", `${record.lane}, ${record.priority}`],
    ...(record.hold ? ([["Held", "until it is released"]] satisfies Fact[]) : []),
    ...(record.not_before
      ? ([["Not before", <RelativeTime key="not-before" at={record.not_before} />]] satisfies Fact[])
      : []),
    ["Attempts", `at most ${record.max_attempts}`],
    [
      "Again after",
      record.retry_on.length > 0 ? record.retry_on.join(", ") : "nothing that the program does",
    ],
    ["On a timeout", record.on_timeout === "retry" ? "it is tried again" : "it has failed"],
    ["On an interruption", record.on_interrupted === "retry" ? "it is tried again" : "it has failed"],
    ["Exit codes", codes.length > 0 ? codes.join(", ") : "0 is success, all else is not"],
    [
      "It has to leave",
      record.declared_outputs.length > 0
        ? names(record.declared_outputs.map(({ path, required }) => (required ? path : `${path} (if any)`)))
        : "nothing in particular",
    ],
  ];
}

const ARCHIVED: Readonly<Record<Execution["archive"], string>> = {
  all: "all of it",
  outputs: "its record and outputs",
  record: "its record alone",
};

function keptOf(record: Execution): Fact[] {
  const { record: all, log, outputs, checkpoint } = record.retention;
  const sentence = expirySentence(record);
  const always: Fact[] = [
    ["In the archive", ARCHIVED[record.archive]],
    ...(record.keep_workspace
      ? ([["Its workspace", "stays on the host of its worker, for administrators"]] satisfies Fact[])
      : []),
  ];
  if (sentence) return [["Expiry", sentence], ...always];
  const when = (name: string, at: string | null): Fact => [
    name,
    at ? <RelativeTime key={name} at={at} /> : "never",
  ];
  return [
    when("Record", all),
    when("Log", log),
    when("Outputs", outputs),
    when("Checkpoint", checkpoint),
    ...always,
  ];
}
