import {
  Button,
  Group,
  NumberInput,
  Paper,
  SegmentedControl,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
  Title,
} from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { FormErrors } from "../submit/errors";
import { ProblemView } from "../ui/ProblemView";
import { Coming } from "./Coming";
import { previewQuery, SCHEDULES, type Schedule } from "./queries";
import { inWords, type Rule } from "./rules";
import classes from "./Schedules.module.css";

const TARGETS = JSON.stringify(
  [{ execution: { image: "busybox:local", command: ["sh", "-c", "echo report of $TAILRACE_LOGICAL_TIME"] } }],
  null,
  2,
);
const OVERLAPS = [
  { value: "skip", label: "It is skipped" },
  { value: "queue", label: "It waits until the last has ended" },
  { value: "replace", label: "The last is stopped" },
  { value: "allow", label: "It is submitted beside it" },
];
const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

interface Fields {
  name: string;
  note: string;
  rule: Rule;
  overlap: Schedule["overlap"];
  catchUp: number | string;
  targets: string;
}

/** Name, rule with its next times, what is submitted. */
export function ScheduleForm({ schedule }: { schedule?: Schedule }) {
  const [fields, setFields] = useState<Fields>(() => fieldsOf(schedule));
  const put = (part: Partial<Fields>) => setFields((before) => ({ ...before, ...part }));
  const client = useQueryClient();
  const navigate = useNavigate();
  const targets = parsed(fields.targets);
  const saving = useMutation({
    mutationFn: () => save(schedule, fields, targets),
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: SCHEDULES });
      await navigate({ to: "/schedules/$id", params: { id } });
    },
  });
  const errors = new FormErrors(saving.error ? asProblem(saving.error).errors : []);

  return (
    <form
      aria-label="Schedule"
      onSubmit={(event) => {
        event.preventDefault();
        if (targets !== undefined) saving.mutate();
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
              <Group grow align="flex-start">
                <Select
                  label="While the last one runs"
                  data={OVERLAPS}
                  value={fields.overlap}
                  allowDeselect={false}
                  error={errors.at("overlap")}
                  onChange={(overlap) => put({ overlap: (overlap ?? "skip") as Fields["overlap"] })}
                />
                <NumberInput
                  label="Made up at most"
                  value={fields.catchUp}
                  clampBehavior="none"
                  allowDecimal={false}
                  error={errors.at("catch_up")}
                  onChange={(catchUp) => put({ catchUp })}
                />
              </Group>
              <Textarea
                label="Note"
                autosize
                value={fields.note}
                error={errors.at("note")}
                onChange={({ currentTarget }) => put({ note: currentTarget.value })}
              />
            </Stack>
          </Paper>
          <Paper withBorder radius="md" p="md">
            <Textarea
              label="What it submits"
              description={
                schedule
                  ? "Variables and secrets are shown as ***: to change anything here, say them again."
                  : 'A list of {"execution": …} and {"batch": …}, each as it would be submitted; “JSON” beside the form for submitting has it.'
              }
              autosize
              minRows={8}
              maxRows={30}
              spellCheck={false}
              styles={{
                input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: "0.8125rem" },
              }}
              value={fields.targets}
              error={targets === undefined ? "This is no JSON." : errors.at("targets")}
              onChange={({ currentTarget }) => put({ targets: currentTarget.value })}
            />
          </Paper>
          <ProblemView error={saving.error} shownFields={errors.all.map(({ field }) => field)} />
          <Group>
            <Button type="submit" loading={saving.isPending} disabled={targets === undefined}>
              {schedule ? "Change" : "Make the schedule"}
            </Button>
          </Group>
        </Stack>
        <Preview rule={fields.rule} />
      </div>
    </form>
  );
}

interface RuleFieldsProps {
  rule: Rule;
  errors: FormErrors;
  onChange(rule: Rule): void;
}

function RuleFields({ rule, errors, onChange }: RuleFieldsProps) {
  const isCron = rule.every == null;
  return (
    <>
      <SegmentedControl
        aria-label="Kind of rule"
        value={isCron ? "cron" : "every"}
        data={[
          { value: "cron", label: "By the clock" },
          { value: "every", label: "At an interval" },
        ]}
        onChange={(kind) =>
          onChange(
            kind === "cron"
              ? { cron: "0 6 * * *", time_zone: localZone(), offset: 0, jitter: rule.jitter }
              : { every: 3600, time_zone: "UTC", offset: 0, jitter: rule.jitter },
          )
        }
      />
      <Group grow align="flex-start">
        {isCron ? (
          <>
            <TextInput
              label="Cron"
              description="Minute, hour, day, month, day of week"
              value={rule.cron ?? ""}
              error={errors.at("rule.cron")}
              styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
              onChange={({ currentTarget }) => onChange({ ...rule, cron: currentTarget.value })}
            />
            <Select
              label="Time zone"
              description="In which that is meant"
              data={ZONES.includes(rule.time_zone) ? ZONES : [rule.time_zone, ...ZONES]}
              value={rule.time_zone}
              searchable
              allowDeselect={false}
              error={errors.at("rule.time_zone")}
              onChange={(zone) => onChange({ ...rule, time_zone: zone ?? "UTC" })}
            />
          </>
        ) : (
          <>
            <NumberInput
              label="Every"
              description="Seconds from one to the next"
              value={rule.every ?? ""}
              clampBehavior="none"
              allowDecimal={false}
              error={errors.at("rule.every")}
              onChange={(every) => onChange({ ...rule, every: Number(every) })}
            />
            <NumberInput
              label="Offset"
              description="Seconds after its grid"
              value={rule.offset}
              clampBehavior="none"
              allowDecimal={false}
              error={errors.at("rule.offset")}
              onChange={(offset) => onChange({ ...rule, offset: Number(offset) })}
            />
          </>
        )}
      </Group>
      <NumberInput
        label="Later by up to"
        description="Seconds, so that not all begin at once"
        maw="14rem"
        value={rule.jitter}
        clampBehavior="none"
        allowDecimal={false}
        error={errors.at("rule.jitter")}
        onChange={(jitter) => onChange({ ...rule, jitter: Number(jitter) })}
      />
    </>
  );
}

function Preview({ rule }: { rule: Rule }) {
  const [settled] = useDebouncedValue(rule, 400);
  const preview = useQuery(previewQuery(settled));
  return (
    <Paper withBorder radius="md" p="md" component="aside" aria-label="Next times">
      <Title order={2} fz="md">
        Next times
      </Title>
      <Text fz="sm" c="dimmed" mb="sm">
        {inWords(rule)}
      </Text>
      {preview.error ? (
        <ProblemView error={preview.error} />
      ) : (
        preview.data && <Coming firings={preview.data.items} />
      )}
    </Paper>
  );
}

function fieldsOf(schedule: Schedule | undefined): Fields {
  return {
    name: schedule?.name ?? "",
    note: schedule?.note ?? "",
    rule: schedule?.rule ?? { cron: "0 6 * * *", time_zone: localZone(), offset: 0, jitter: 0 },
    overlap: schedule?.overlap ?? "skip",
    catchUp: schedule?.catch_up ?? 1,
    targets: schedule ? JSON.stringify(schedule.targets, null, 2) : TARGETS,
  };
}

function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Of a schedule that is changed, targets that nobody touched are left as they are, with their secrets. */
async function save(schedule: Schedule | undefined, fields: Fields, targets: unknown): Promise<Schedule> {
  const said = {
    name: fields.name,
    note: fields.note || null,
    overlap: fields.overlap,
    catch_up: Number(fields.catchUp),
  };
  if (!schedule) {
    const body = { ...said, rule: fields.rule, targets } as unknown as Schemas["NewSchedule"];
    return ask(api.POST("/v1/schedules", { body }));
  }
  const wasTouched = fields.targets !== JSON.stringify(schedule.targets, null, 2);
  const { cron = null, every = null } = fields.rule;
  const rule = { ...fields.rule, cron, every, ...(cron === null ? { time_zone: null } : { offset: null }) };
  const body = { ...said, rule, ...(wasTouched ? { targets } : {}) };
  return ask(api.PATCH("/v1/schedules/{id}", { params: { path: { id: schedule.id } }, body }));
}
