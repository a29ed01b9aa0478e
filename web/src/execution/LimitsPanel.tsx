import { Button, Group, SimpleGrid, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { useState } from "react";
import { asProblem } from "../api/problem";
import { type Execution, hasEnded } from "../api/types";
import { useMe } from "../session/session";
import type { JsonObject } from "../submit/json";
import { ChangeProblem } from "../ui/ChangeProblem";
import { spell, useNow } from "../ui/time";
import { clocksOf } from "./clocks";
import { CLOCKS, type Draft, type Field, type Limit, labelOf, patchOf, SIZES, shownValue } from "./limits";
import { change, useOperations } from "./operations";
import { Panel } from "./Panel";
import { whyFixed, whyNot } from "./possible";
import { tickLabel } from "./timeline";

const MORE = [
  { seconds: 900, label: "15 min more" },
  { seconds: 3600, label: "1 h more" },
];

/** Its limits, which can be changed as long as they have a meaning; also while it runs. */
export function LimitsPanel({ record }: { record: Execution }) {
  const [draft, setDraft] = useState<Draft>({});
  // As it was when the draft was begun: what others change meanwhile is not taken back unasked.
  const [seen, setSeen] = useState(record);
  const operations = useOperations(record.id);
  const patch = patchOf(draft, seen.limits);
  const [asked, setAsked] = useState<JsonObject>({});
  const save = (limits: JsonObject, from: Execution) => {
    setAsked(limits);
    operations.mutate({
      call: async () => {
        await change(from, { limits });
        setDraft({});
      },
      said: "The limits are changed.",
    });
  };
  const type = (limit: Limit, text: string) => {
    if (Object.keys(draft).length === 0) setSeen(record);
    setDraft({ ...draft, [limit]: text });
  };
  const errors = operations.error ? asProblem(operations.error).errors : [];
  const input = (field: Field) => (
    <LimitInput
      key={field.limit}
      field={field}
      record={record}
      draft={draft[field.limit]}
      before={draft[field.limit] === undefined ? record : seen}
      error={errors.find((each) => each.field === `limits.${field.limit}`)?.message}
      onChange={(text) => type(field.limit, text)}
    />
  );
  const leave = () => {
    setDraft({});
    operations.reset();
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (patch) save(patch, seen);
      }}
    >
      <Stack>
        <Remaining
          record={record}
          onMore={(seconds) => save({ timeout: (record.limits.timeout ?? 0) + seconds }, record)}
        />
        <Panel title="Clocks, in seconds">
          <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm">
            {CLOCKS.map(input)}
          </SimpleGrid>
        </Panel>
        <Panel title="Sizes">
          <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm">
            {SIZES.map(input)}
          </SimpleGrid>
        </Panel>
        <ChangeProblem<Execution>
          error={operations.error}
          shownFields={[...CLOCKS, ...SIZES].map(({ limit }) => `limits.${limit}`)}
          nameOf={labelOf}
          onAgain={(now) => save(asked, now)}
          onLeave={leave}
        />
        <Group gap="xs">
          <Button type="submit" disabled={!patch} loading={operations.isPending}>
            Change
          </Button>
          <Button variant="default" disabled={!patch} onClick={leave}>
            As they are
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** What is left on its clocks, and a button for more. */
function Remaining({ record, onMore }: { record: Execution; onMore: (seconds: number) => void }) {
  const { scopes } = useMe();
  const ended = hasEnded(record.status);
  const now = useNow(!ended);
  const clocks = clocksOf(record, now);
  const why = whyNot("adjust", record, scopes);
  const whyNoTime = whyFixed("timeout", record, scopes);
  return (
    <Group gap="sm">
      {why && (
        <Text fz="sm" c="dimmed">
          {why}
        </Text>
      )}
      {clocks.map(({ limit, word, left }) => (
        <Text key={limit} fz="sm">
          {word} <b className="tabular">{spell(left)}</b>.
        </Text>
      ))}
      {!ended && clocks.length === 0 && (
        <Text fz="sm" c="dimmed">
          None of its clocks runs now.
        </Text>
      )}
      {!whyNoTime &&
        MORE.map(({ seconds, label }) => (
          <Button key={seconds} variant="light" size="compact-sm" onClick={() => onMore(seconds)}>
            {label}
          </Button>
        ))}
    </Group>
  );
}

interface LimitInputProps {
  field: Field;
  record: Execution;
  draft: string | undefined;
  /** As it was when the draft was begun. */
  before: Execution;
  error: string | undefined;
  onChange: (text: string) => void;
}

function LimitInput({ field, record, draft, before, error, onChange }: LimitInputProps) {
  const { scopes } = useMe();
  const why = whyFixed(field.limit, record, scopes);
  const value = draft ?? shownValue(field, record.limits);
  const now = shownValue(field, record.limits);
  const wasChanged = now !== shownValue(field, before.limits);
  const seconds = field.unit === "seconds" && /^\d+$/.test(value) ? Number(value) : 0;
  const input = (
    <TextInput
      label={field.label}
      description={wasChanged ? `Meanwhile somebody made it ${now || "none"}` : field.about}
      value={value}
      placeholder={field.optional ? "none" : "the default"}
      readOnly={why !== null}
      variant={why === null ? "default" : "filled"}
      rightSection={
        seconds >= 60 && (
          <Text fz="xs" c="var(--mantine-color-text)" pr={8} component="span">
            {tickLabel(seconds)}
          </Text>
        )
      }
      rightSectionWidth={seconds >= 60 ? 88 : 0}
      error={error}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
  if (why === null) return input;
  return (
    <Tooltip label={why}>
      <div>{input}</div>
    </Tooltip>
  );
}
