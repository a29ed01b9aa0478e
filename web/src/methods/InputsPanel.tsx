import { Paper, Stack, Text, Title } from "@mantine/core";
import { joinArgv } from "../submit/argv";
import { type Field, fieldsOf, spelled } from "../submit/fields";
import { isObject, type Json, type JsonObject } from "../submit/json";
import type { Document } from "../submit/presets";
import { spellBytes } from "../ui/Bytes";
import { spell } from "../ui/time";
import own from "../ui/ui.module.css";
import classes from "./Methods.module.css";

const KINDS: { [kind in Field["kind"]]: string } = {
  text: "text",
  paragraph: "text",
  integer: "whole number",
  number: "number",
  boolean: "yes or no",
  choice: "one of",
  choices: "any of",
  list: "list",
  date: "date",
  moment: "time",
  file: "file",
  secret: "secret",
  json: "JSON",
};

/** What a version takes, as its documentation, and what it runs. */
export function InputsPanel({ document }: { document: Document }) {
  const fields = fieldsOf(document.inputs);
  return (
    <div className={classes.split}>
      <Stack gap="md">
        {document.description && <Text style={{ whiteSpace: "pre-line" }}>{document.description}</Text>}
        <section className={own.panel} aria-label="Inputs">
          {fields.length === 0 && (
            <Text p="md" c="dimmed">
              It takes no inputs.
            </Text>
          )}
          {fields.map((field) => (
            <Input key={field.name} field={field} />
          ))}
        </section>
      </Stack>
      <Runs document={document} />
    </div>
  );
}

function Input({ field }: { field: Field }) {
  const options = field.options.length > 0 ? ` ${field.options.map(spelled).join(", ")}` : "";
  const unit = field.kind === "list" ? ` of ${field.schema.items?.type ?? "values"}s` : "";
  return (
    <div className={classes.input}>
      <div className={classes.head}>
        <code>{field.name}</code>
        <span className={classes.kind}>
          {KINDS[field.kind]}
          {unit}
          {options}
        </span>
        {field.required && <span className={classes.needed}>required</span>}
      </div>
      {(field.schema.title || field.description) && (
        <Text fz="sm">
          {field.schema.title && <b>{field.schema.title}. </b>}
          {field.description}
        </Text>
      )}
      {(field.rule || field.default !== undefined || field.example !== null) && (
        <Text fz="sm" c="dimmed">
          {[
            field.rule,
            field.default !== undefined ? `${spelled(field.default)} by default` : null,
            field.example !== null ? `such as ${field.example}` : null,
          ]
            .filter(Boolean)
            .join("; ")}
        </Text>
      )}
    </div>
  );
}

function Runs({ document }: { document: Document }) {
  const said = document as unknown as JsonObject;
  const command = Array.isArray(said["command"]) ? joinArgv(said["command"].map(String)) : null;
  const steps = isObject(document.steps) ? Object.entries(document.steps) : [];
  return (
    <Paper withBorder radius="md" p="md" component="section" aria-label="What it runs">
      <Stack gap="sm">
        <Title order={2} fz="md">
          What it runs
        </Title>
        <dl className={classes.facts}>
          <Fact title="Image" value={said["image"]} code />
          <Fact title="Command" value={command} code />
          <Fact title="Pool" value={document.pool} />
          {Object.entries(isObject(document.limits) ? document.limits : {}).map(([name, value]) => (
            <Fact key={name} title={name.replaceAll("_", " ")} value={limitOf(name, value)} />
          ))}
          {steps.map(([key, step]) => (
            <Fact key={key} title={key} value={stepOf(step)} code />
          ))}
          {Object.entries(document.profiles ?? {}).map(([name, profile]) => (
            <Fact key={name} title={`Profile ${name}`} value={profileOf(profile as JsonObject)} />
          ))}
        </dl>
      </Stack>
    </Paper>
  );
}

function Fact({ title, value, code = false }: { title: string; value: Json | undefined; code?: boolean }) {
  if (value === undefined || value === null || value === "") return null;
  return (
    <>
      <dt>{title}</dt>
      <dd>{code ? <code>{spelled(value)}</code> : spelled(value)}</dd>
    </>
  );
}

function stepOf(step: Json): string {
  if (!isObject(step)) return "";
  const needs =
    Array.isArray(step["needs"]) && step["needs"].length > 0 ? `, after ${step["needs"].join(", ")}` : "";
  return `${spelled(step["method"] ?? step["image"])}${needs}`;
}

function profileOf(profile: JsonObject): string {
  const inputs = Object.entries(asObject(profile["inputs"])).map(
    ([name, value]) => `${name} ${spelled(value)}`,
  );
  const limits = Object.entries(asObject(profile["limits"])).map(
    ([name, value]) => `${name} ${limitOf(name, value)}`,
  );
  const said = [...inputs, ...limits].join(", ");
  return [profile["title"], said].filter(Boolean).join(": ") || "–";
}

const COUNTS = ["cpus", "pids", "output_files"];

/** A limit with its unit: clocks are seconds, sizes bytes. */
function limitOf(name: string, value: Json): string {
  if (typeof value !== "number" || COUNTS.includes(name)) return spelled(value);
  const isClock = /timeout|grace|notice|warn_before/.test(name);
  return isClock ? spell(value).replace(/ 00 (s|min)$/, "") : spellBytes(value);
}

function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}
