import { Button, Group, NumberInput, Popover, Stack, Text } from "@mantine/core";
import { IconPlayerStop, IconSkull } from "@tabler/icons-react";
import { useState } from "react";
import { type Execution, hasEnded } from "../api/types";
import { useMe } from "../session/session";
import { ActionButton } from "./ActionButton";
import { cancel, setGrace, useOperations } from "./operations";
import { whyNot } from "./possible";

/** Stop it: the first time it is told and has its grace, the second time it is killed. */
export function StopControl({ record }: { record: Execution }) {
  const { scopes } = useMe();
  const operations = useOperations(record.id);
  const [opened, setOpened] = useState(false);
  if (!hasEnded(record.status) && (record.status === "stopping" || record.stop?.reason === "cancel"))
    return (
      <ActionButton
        why={whyNot("force", record, scopes)}
        leftSection={<IconSkull size={16} />}
        variant="filled"
        color="red.8"
        loading={operations.isPending}
        onClick={() => operations.mutate({ call: () => cancel(record.id, true) })}
      >
        Kill now
      </ActionButton>
    );
  const why = whyNot("cancel", record, scopes);
  return (
    <Popover opened={opened} onChange={setOpened} trapFocus withArrow position="bottom-end" width={300}>
      <Popover.Target>
        <ActionButton
          why={why}
          leftSection={<IconPlayerStop size={16} />}
          loading={operations.isPending}
          onClick={() => setOpened(!opened)}
        >
          Stop
        </ActionButton>
      </Popover.Target>
      <Popover.Dropdown>
        <StopForm
          record={record}
          onStop={(grace) => {
            setOpened(false);
            operations.mutate({ call: () => stop(record, grace) });
          }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}

async function stop({ id, limits }: Execution, grace: number | null): Promise<unknown> {
  if (grace !== null && grace !== limits.grace) await setGrace(id, grace);
  return cancel(id);
}

/** Whether a program is there that can be told. */
function isThere({ status, pause }: Execution): boolean {
  return status === "running" || status === "preparing" || (status === "paused" && pause?.mode === "freeze");
}

function StopForm({ record, onStop }: { record: Execution; onStop: (grace: number | null) => void }) {
  const [grace, setGrace] = useState<string | number>(record.limits.grace ?? 10);
  const told = isThere(record);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onStop(told && typeof grace === "number" ? grace : null);
      }}
    >
      <Stack gap="sm">
        <Text fz="sm">
          {told
            ? record.saves_checkpoints
              ? "The program is told, saves its checkpoint and ends. What is still there after its grace is killed."
              : "The program is told, and ends by itself. What is still there after its grace is killed."
            : "No program of it runs: it is canceled at once."}
        </Text>
        {told && (
          <NumberInput
            label="Grace"
            suffix=" s"
            min={0}
            max={3600}
            allowDecimal={false}
            value={grace}
            onChange={setGrace}
            data-autofocus
          />
        )}
        <Group justify="flex-end">
          <Button type="submit" color="red.8" size="sm" {...(told ? {} : { "data-autofocus": true })}>
            {told ? "Stop it" : "Cancel it"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
