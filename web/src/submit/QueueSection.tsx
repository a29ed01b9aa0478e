import { Autocomplete, Checkbox, TagsInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { ChoiceField } from "./ChoiceField";
import { spelled, typed } from "./fields";
import { useBound, useForm } from "./form";
import type { Json } from "./json";
import { NumberField } from "./NumberField";
import { Section } from "./Section";
import classes from "./Submit.module.css";
import { TextField } from "./TextField";

const PATHS = [
  ...["pool", "priority", "lane", "not_before", "hold", "max_attempts"],
  ...["retry_on", "on_timeout", "on_interrupted"],
];
const THEN = [
  { value: "fail", label: "It has failed" },
  { value: "retry", label: "Try again" },
];

/** Where and when it runs, and whether it is tried again. */
export function QueueSection() {
  const { body, subject } = useForm();
  const isAdmin = useMay("admin");
  const set = PATHS.filter((path) => body[path] !== undefined && body[path] !== false);
  const said = set.map((path) => `${path.replaceAll("_", " ")} ${spelled(body[path])}`);
  const summary = subject.kind === "rerun" ? null : said.join(", ");
  const lanes = ["high", "normal", "low"].filter((lane) => lane !== "high" || isAdmin);
  return (
    <Section title="Queue and attempts" paths={PATHS} summary={summary}>
      <div className={classes.columns}>
        <PoolField />
        <NumberField
          path="priority"
          label="Priority"
          description="−100 to 100, among your own"
          placeholder="0 (by default)"
        />
        <ChoiceField
          path="lane"
          label="Lane"
          description="What is in a higher one comes first"
          options={lanes.map((lane) => ({ value: lane, label: lane }))}
          byDefault="normal"
        />
        <TextField
          path="not_before"
          label="Not before"
          description="A time with its zone"
          placeholder="2026-01-31T09:00:00Z"
        />
      </div>
      <HoldField />
      <div className={classes.columns}>
        <NumberField
          path="max_attempts"
          label="Attempts at most"
          description="That may start the program"
          placeholder="1 (by default)"
        />
        <ChoiceField path="on_timeout" label="When its time is up" options={THEN} byDefault="fail" />
        <ChoiceField path="on_interrupted" label="When it was interrupted" options={THEN} byDefault="fail" />
      </div>
      <RetryField />
    </Section>
  );
}

function PoolField() {
  const { id, value, preset, error, set } = useBound("pool");
  const pools = useQuery({
    queryKey: ["pools"],
    queryFn: ({ signal }) => ask(api.GET("/v1/pools", { signal })),
  });
  return (
    <Autocomplete
      id={id}
      label="Pool"
      description="Whose workers run it"
      error={error}
      data={pools.data?.items.map(({ name }) => name) ?? []}
      placeholder={`${spelled(preset ?? "default")} (by default)`}
      value={spelled(value ?? "")}
      onChange={(said) => set(said || undefined)}
    />
  );
}

function HoldField() {
  const { id, value, error, set } = useBound("hold");
  return (
    <Checkbox
      id={id}
      label="Keep it in the queue until it is released"
      error={error}
      checked={value === true}
      onChange={({ currentTarget }) => set(currentTarget.checked || undefined)}
    />
  );
}

const REASONS = [
  "exit_nonzero",
  "oom_killed",
  "run_timeout",
  "idle_timeout",
  "image_pull_failed",
  "host_lost",
  "engine_error",
];

function RetryField() {
  const { id, value, error, set } = useBound("retry_on");
  const items: Json[] = Array.isArray(value) ? value : [];
  return (
    <TagsInput
      id={id}
      label="Try again after"
      description="Causes, or exit codes from 1 to 255"
      error={error}
      data={REASONS}
      placeholder={items.length > 0 ? undefined : "such as oom_killed, or 75"}
      value={items.map(spelled)}
      acceptValueOnBlur
      onChange={(said) => set(said.length > 0 ? said.map((each) => typed(each, "integer")) : undefined)}
    />
  );
}
