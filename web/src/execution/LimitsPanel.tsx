import { Button, Group, SimpleGrid, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { useState } from "react";
import { asProblem } from "../api/problem";
import { type Execution, hasEnded } from "../api/types";
import { useMe } from "../session/session";
import { ProblemView } from "../ui/ProblemView";
import { spell, useNow } from "../ui/time";
import { clocksOf } from "./clocks";
import { CLOCKS, type Draft, type Field, patchOf, SIZES, shownValue } from "./limits";
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
  const operations = useOperations(record.id);
  const patch = patchOf(draft, record.limits);
  const save = (limits: object) =>
    operations.mutate({
      call: async () => {
        await change(record.id, { limits });
        setDraft({});
      },
      said: "The limits are changed.",
    });
  const errors = operations.error ? asProblem(operations.error).errors : [];
  const input = (field: Field) => (
    <LimitInput
      key={field.limit}
      field={field}
      record={record}
      draft={draft[field.limit]}
      error={errors.find((each) => each.field === `limits.${field.limit}`)?.message}
      onChange={(text) => setDraft({ ...draft, [field.limit]: text })}
    />
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (patch) save(patch);
      }}
    >
      <Stack>
        <Remaining
          record={record}
          onMore={(seconds) => save({ timeout: (record.limits.timeout ?? 0) + seconds })}
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
        <ProblemView
          error={operations.error}
          shownFields={[...CLOCKS, ...SIZES].map(({ limit }) => `limits.${limit}`)}
        />
        <Group gap="xs">
          <Button type="submit" disabled={!patch} loading={operations.isPending}>
            Change
          </Button>
          <Button variant="default" disabled={!patch} onClick={() => setDraft({})}>
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
  error: string | undefined;
  onChange: (text: string) => void;
}

function LimitInput({ field, record, draft, error, onChange }: LimitInputProps) {
  const { scopes } = useMe();
  const why = whyFixed(field.limit, record, scopes);
  const value = draft ?? shownValue(field, record.limits);
  const seconds = field.unit === "seconds" && /^\d+$/.test(value) ? Number(value) : 0;
  const input = (
    <TextInput
      label={field.label}
      description={field.about}
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
