import { Group, Progress, Stack, Text } from "@mantine/core";
import { type Execution, hasEnded } from "../api/types";
import { ProgressBar } from "../ui/ProgressBar";
import { spell, useNow } from "../ui/time";
import { WithCode } from "../ui/WithCode";
import { clocksOf } from "./clocks";
import classes from "./Execution.module.css";
import { Panel } from "./Panel";
import { expectationSentence, placeSentence, sentenceOf } from "./standing";
import { tickLabel } from "./timeline";

/** How it stands and why, how far it is, and which of its clocks run. */
export function Standing({ record }: { record: Execution }) {
  const ended = hasEnded(record.status);
  const now = useNow(!ended);
  const more = ended
    ? [record.cause === "ok" ? null : record.hint]
    : [placeSentence(record), expectationSentence(record), record.hint];
  return (
    <Panel title="How it stands">
      <Stack gap="sm">
        <div role="status">
          <Text
            fw={550}
            className={classes.sentence}
            style={{ "--status": `var(--status-${record.status})` }}
          >
            <WithCode text={sentenceOf(record, now)} />
          </Text>
          {more.map(
            (each) =>
              each && (
                <Text key={each} fz="sm" c="dimmed">
                  <WithCode text={each} />
                </Text>
              ),
          )}
        </div>
        {record.progress && <ProgressBar progress={record.progress} withPhase />}
        <Clocks record={record} now={now} />
      </Stack>
    </Panel>
  );
}

function Clocks({ record, now }: { record: Execution; now: number }) {
  return clocksOf(record, now).map(({ limit, word, of, left }) => (
    <div key={limit}>
      <Group justify="space-between" gap="xs" mb={2}>
        <Text fz="xs" c="dimmed">
          {word} <span className="tabular">{spell(left)}</span>
        </Text>
        <Text fz="xs" c="dimmed">
          of {tickLabel(of)}
        </Text>
      </Group>
      <Progress value={(100 * left) / of} size={3} color="var(--status-queued)" aria-label={word} />
    </div>
  ));
}
