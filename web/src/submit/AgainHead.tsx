import { Group, Select, Stack, Switch, Text } from "@mantine/core";
import { type Execution, hasEnded } from "../api/types";
import { IdLink } from "../ui/IdLink";
import { Note } from "../ui/Note";
import { StatusBadge } from "../ui/StatusBadge";
import own from "../ui/ui.module.css";
import { WithCode } from "../ui/WithCode";
import { type Start, startsOf } from "./again";

const STARTS: Readonly<Record<Start, string>> = {
  own: "From its own last checkpoint",
  same: "From the checkpoint that it had started from",
  nothing: "From the beginning",
};

interface AgainHeadProps {
  record: Execution;
  start: Start;
  onStart(start: Start): void;
  /** Of one by method: whether that is left out. */
  isPlain: boolean;
  /** None: its method's version is not there to be chosen. */
  onPlain: ((isPlain: boolean) => void) | null;
}

/** What is run again, what becomes of that of it which the form cannot show, and from where it starts. */
export function AgainHead({ record, start, onStart, isPlain, onPlain }: AgainHeadProps) {
  const { method } = record;
  const starts = [...new Set([...startsOf(record), start])];
  return (
    <Stack className={own.panel} p="md" gap="xs">
      <Group gap="sm">
        <Text component="span" fw={600}>
          {record.name ?? (method ? `${method.name}@${method.version}` : record.image)}
        </Text>
        <StatusBadge status={record.status} execution={record} />
        <IdLink id={record.id} />
      </Group>
      {record.cause && record.cause !== "ok" && (
        <Text fz="sm">
          <WithCode text={[record.message, record.hint].filter(Boolean).join(" ")} />
        </Text>
      )}
      {!hasEnded(record.status) && <Note>It has not ended yet: it can be run again then.</Note>}
      <Text fz="sm" c="dimmed">
        {staysOf(record)}
      </Text>
      {method && !onPlain && (
        <Note>
          {method.name}@{method.version} is not there any more, or not for you. What it had made of its inputs
          stands below, and is run again without it.
        </Note>
      )}
      {method && onPlain && (
        <Switch
          label={`Without its method, ${method.name}@${method.version}`}
          description="As the image and the command that it was: they can be changed then. What was changed below is lost."
          checked={isPlain}
          onChange={({ currentTarget }) => onPlain(currentTarget.checked)}
        />
      )}
      {starts.length > 1 && (
        <Select
          label="Starts"
          data={starts.map((value) => ({ value, label: STARTS[value] }))}
          value={start}
          allowDeselect={false}
          onChange={(value) => onStart(value as Start)}
        />
      )}
    </Stack>
  );
}

/** What becomes of what is not changed, and of what no form can show. */
function staysOf({ env, secrets, lineage }: Execution): string {
  return [
    "What you leave as it is stays as it was.",
    env.length > 0 && "Values of its variables are on no record, and stay too, unless you type others.",
    secrets.length > 0 && "Secrets are not kept after the end: give them again, or take them away.",
    lineage.batch && "It was one of a batch, and is run again alone.",
  ]
    .filter(Boolean)
    .join(" ");
}
