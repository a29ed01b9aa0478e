import { Button, Group, NumberInput, Paper, Select, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { changeTogether, tagged } from "../api/changing";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { FormErrors } from "../submit/errors";
import { type Json, type JsonObject, patchOf } from "../submit/json";
import { ChangeProblem } from "../ui/ChangeProblem";
import { readLabels, spellLabels } from "../ui/labelText";
import { BoundFields } from "./BoundFields";
import { isOverlap, OVERLAP_CHOICES } from "./overlaps";
import { SCHEDULES, type Schedule } from "./queries";
import { RuleFields } from "./RuleFields";
import { freshRule, type Rule } from "./rules";
import classes from "./Schedules.module.css";
import { TargetsField } from "./TargetsField";
import { parsed, written } from "./targets";
import { Upcoming } from "./Upcoming";

const EXAMPLE = [
  { execution: { image: "busybox:local", command: ["sh", "-c", "echo report of $TAILRACE_LOGICAL_TIME"] } },
];

interface Fields {
  name: string;
  note: string;
  labels: string;
  rule: Rule;
  overlap: Schedule["overlap"];
  catchUp: number | string;
  timeInput: string;
  targets: string;
}

/** Name, rule with its next times, what is submitted. */
export function ScheduleForm({ schedule }: { schedule?: Schedule }) {
  const [seen] = useState(schedule);
  const [fields, setFields] = useState<Fields>(() => fieldsOf(schedule));
  const put = (part: Partial<Fields>) => setFields((before) => ({ ...before, ...part }));
  const client = useQueryClient();
  const navigate = useNavigate();
  const targets = parsed(fields.targets);
  const saving = useMutation({
    mutationFn: (from: Schedule | undefined) => (seen ? save(seen, fields, from ?? seen) : make(fields)),
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: SCHEDULES });
      await navigate({ to: "/schedules/$id", params: { id } });
    },
  });
  const errors = new FormErrors(saving.error ? asProblem(saving.error).errors : []);
  const leave = () => void navigate({ to: "/schedules/$id", params: { id: seen?.id ?? "" } });
  return (
    <form
      aria-label="Schedule"
      onSubmit={(event) => {
        event.preventDefault();
        if (targets !== undefined) saving.mutate(seen);
      }}
    >
      <div className={classes.split}>
        <Stack gap="md">
          <Paper withBorder radius="md" p="md">
            <Stack gap="md">
              <TextInput
                label="Name"
                withAsterisk
                value={fields.name}
                error={errors.at("name")}
                onChange={({ currentTarget }) => put({ name: currentTarget.value })}
              />
              <RuleFields rule={fields.rule} errors={errors} onChange={(rule) => put({ rule })} />
              <BoundFields rule={fields.rule} errors={errors} onChange={(rule) => put({ rule })} />
              <HowFields fields={fields} errors={errors} onChange={put} />
            </Stack>
          </Paper>
          <Paper withBorder radius="md" p="md">
            <TargetsField
              label="What it submits"
              description='A list of {"execution": …} and {"batch": …}, each as it would be submitted. “Schedule…” beside the form for submitting fills this in.'
              isChange={schedule !== undefined}
              value={fields.targets}
              error={errors.at("targets")}
              onChange={(next) => put({ targets: next })}
            />
          </Paper>
          <ChangeProblem<Schedule>
            error={saving.error}
            shownFields={errors.all.map(({ field }) => field)}
            onAgain={(now) => saving.mutate(now)}
            onLeave={leave}
          />
          <Group>
            <Button type="submit" loading={saving.isPending} disabled={targets === undefined}>
              {schedule ? "Change" : "Make the schedule"}
            </Button>
          </Group>
        </Stack>
        <Paper withBorder radius="md" p="md">
          <Upcoming rule={fields.rule} />
        </Paper>
      </div>
    </form>
  );
}

interface HowFieldsProps {
  fields: Fields;
  errors: FormErrors;
  onChange(part: Partial<Fields>): void;
}

/** What a firing does beside its time, and what people find the schedule by. */
function HowFields({ fields, errors, onChange }: HowFieldsProps) {
  return (
    <>
      <Group grow align="flex-start">
        <Select
          label="While the last one runs"
          data={OVERLAP_CHOICES}
          value={fields.overlap}
          allowDeselect={false}
          error={errors.at("overlap")}
          onChange={(overlap) => isOverlap(overlap) && onChange({ overlap })}
        />
        <NumberInput
          label="Made up at most"
          value={fields.catchUp}
          clampBehavior="none"
          allowDecimal={false}
          error={errors.at("catch_up")}
          onChange={(catchUp) => onChange({ catchUp })}
        />
      </Group>
      <Group grow align="flex-start">
        <TextInput
          label="Input of its time"
          description="Gets the time that each run is for"
          value={fields.timeInput}
          error={errors.at("time_input")}
          onChange={({ currentTarget }) => onChange({ timeInput: currentTarget.value })}
        />
        <Textarea
          label="Labels"
          description="Of the schedule; one key=value a line"
          autosize
          value={fields.labels}
          error={errors.at("labels")}
          onChange={({ currentTarget }) => onChange({ labels: currentTarget.value })}
        />
      </Group>
      <Textarea
        label="Note"
        autosize
        value={fields.note}
        error={errors.at("note")}
        onChange={({ currentTarget }) => onChange({ note: currentTarget.value })}
      />
    </>
  );
}

function fieldsOf(schedule: Schedule | undefined): Fields {
  return {
    name: schedule?.name ?? "",
    note: schedule?.note ?? "",
    labels: spellLabels(schedule?.labels ?? {}),
    rule: schedule?.rule ?? freshRule(),
    overlap: schedule?.overlap ?? "skip",
    catchUp: schedule?.catch_up ?? 1,
    timeInput: schedule?.time_input ?? "",
    targets: written(schedule?.targets ?? EXAMPLE),
  };
}

/** What is said of a schedule; the parts of its rule that it has not are said to be none. */
function bodyOf(fields: Fields): JsonObject {
  const { cron = null, every = null } = fields.rule;
  const rule = { ...fields.rule, cron, every, ...(cron === null ? { time_zone: null } : { offset: null }) };
  return {
    name: fields.name,
    note: fields.note || null,
    labels: readLabels(fields.labels),
    overlap: fields.overlap,
    catch_up: Number(fields.catchUp),
    time_input: fields.timeInput.trim() || null,
    rule: rule as JsonObject,
    targets: (parsed(fields.targets) ?? null) as Json,
  };
}

function make(fields: Fields): Promise<Schedule> {
  const body = { ...bodyOf(fields), rule: fields.rule } as unknown as Schemas["NewSchedule"];
  return ask(api.POST("/v1/schedules", { body }));
}

/** What was changed since it was `seen`, on it as it was at `from`: targets that nobody touched stay, with their secrets. */
async function save(seen: Schedule, fields: Fields, from: Schedule): Promise<Schedule> {
  const patch = patchOf(bodyOf(fieldsOf(seen)), bodyOf(fields));
  if (!patch) return seen;
  const params = { path: { id: seen.id } };
  return changeTogether(from, patch, {
    read: () => tagged(api.GET("/v1/schedules/{id}", { params })),
    send: (body, etag) =>
      ask(api.PATCH("/v1/schedules/{id}", { params, headers: { "If-Match": etag }, body })),
  });
}
