import { Button, Group, List, Loader, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useQuery } from "@tanstack/react-query";
import { type Execution, hasEnded } from "../api/types";
import { useExecution } from "../executions/queries";
import { spellBytes } from "../ui/Bytes";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { remove, useOperations } from "./operations";
import { descendantsQuery } from "./queries";
import { counted } from "./spelling";

interface DeleteQuestionProps {
  id: string;
  /** Leave its page: it is no more. */
  onGone: () => Promise<void>;
}

/** What goes with an execution that is deleted, and what stays, before it is done. */
export function DeleteQuestion({ id, onGone }: DeleteQuestionProps) {
  const { data: record } = useExecution(id);
  const reruns = useQuery(descendantsQuery(id, "rerun_of"));
  const resumed = useQuery(descendantsQuery(id, "resumed_from"));
  const operations = useOperations(id);
  if (!record) return <Loader />;
  const needed = resumed.data?.items.filter(({ status }) => !hasEnded(status)) ?? [];
  const staying = (reruns.data?.items.length ?? 0) + (resumed.data?.items.length ?? 0);
  const doIt = async () => {
    const left = await remove(id);
    modals.closeAll();
    if (left !== undefined) return say("It is being stopped, and goes as soon as it has ended.");
    await onGone();
    say("It is gone.");
  };
  return (
    <Stack gap="sm">
      <Text fz="sm">These go with it:</Text>
      <List fz="sm">
        {losses(record).map((each) => (
          <List.Item key={each}>{each}</List.Item>
        ))}
      </List>
      {!hasEnded(record.status) && (
        <Text fz="sm">It has not ended: it is asked to stop, and goes as soon as it has.</Text>
      )}
      {staying > 0 && (
        <Text fz="sm" c="dimmed">
          What was run again from it, or went on from it, stays ({staying}), and names it no more.
        </Text>
      )}
      {needed.length > 0 && (
        <Text fz="sm" c="red">
          {counted(needed.length, "execution")} that goes on from its checkpoint has not ended: until then it
          is refused.
        </Text>
      )}
      <ProblemView error={operations.error} />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={() => modals.closeAll()} data-autofocus>
          No
        </Button>
        <Button
          color="red.8"
          loading={operations.isPending}
          onClick={() => operations.mutate({ call: doIt })}
        >
          Delete it
        </Button>
      </Group>
    </Stack>
  );
}

function losses({ log, outputs, checkpoint }: Execution): string[] {
  const files = (what: string, { files, bytes, expired_at }: typeof checkpoint) =>
    files > 0 && !expired_at ? [`${what}: ${counted(files, "file")}, ${spellBytes(bytes)}`] : [];
  return [
    "its record, history and attempts",
    ...(log.lines > 0 && !log.expired_at
      ? [`its log: ${counted(log.lines, "line")}, ${spellBytes(log.bytes)}`]
      : []),
    ...files("its outputs", outputs),
    ...files("its checkpoint", checkpoint),
    "addresses that share it",
  ];
}
