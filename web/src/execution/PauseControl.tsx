import { Button, Menu } from "@mantine/core";
import {
  IconChevronDown,
  IconDeviceFloppy,
  IconHandStop,
  IconPlayerPause,
  IconPlayerPlay,
  IconSnowflake,
} from "@tabler/icons-react";
import type { Execution } from "../api/types";
import { useMe } from "../session/session";
import { ActionButton } from "./ActionButton";
import { ActionItem } from "./ActionItem";
import { hold, pause, release, resume, useOperations } from "./operations";
import { isHeld, whyNot } from "./possible";

/** Let it stand still, or go on: what is queued is held, what runs is paused. */
export function PauseControl({ record }: { record: Execution }) {
  const { scopes } = useMe();
  const { mutate: ask, isPending: loading } = useOperations(record.id);
  const { id } = record;
  const whyNotPause = whyNot("freeze", record, scopes);
  if (isHeld(record))
    return (
      <ActionButton
        why={whyNot("release", record, scopes)}
        leftSection={<IconPlayerPlay size={16} />}
        loading={loading}
        onClick={() => ask({ call: () => release(id), said: "It waits for its turn now." })}
      >
        Release
      </ActionButton>
    );
  if (record.status === "queued")
    return (
      <ActionButton
        why={whyNot("hold", record, scopes)}
        leftSection={<IconHandStop size={16} />}
        loading={loading}
        onClick={() => ask({ call: () => hold(id), expected: { waiting_on: "hold", queue_position: null } })}
      >
        Hold
      </ActionButton>
    );
  if (record.status === "paused" || record.pause)
    return (
      <ActionButton
        why={whyNot("resume", record, scopes)}
        leftSection={<IconPlayerPlay size={16} />}
        loading={loading}
        onClick={() => ask({ call: () => resume(id) })}
      >
        {record.status === "paused" ? "Resume" : "Do not pause"}
      </ActionButton>
    );
  if (whyNotPause !== null)
    return (
      <ActionButton why={whyNotPause} leftSection={<IconPlayerPause size={16} />}>
        Pause
      </ActionButton>
    );
  return (
    <Menu position="bottom-end" withInitialFocusPlaceholder={false} width={290}>
      <Menu.Target>
        <Button
          variant="default"
          loading={loading}
          leftSection={<IconPlayerPause size={16} />}
          rightSection={<IconChevronDown size={14} />}
        >
          Pause
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <ActionItem
          icon={IconDeviceFloppy}
          label="Save a checkpoint and stop"
          about="Its slot is free meanwhile; it goes on from there."
          why={whyNot("checkpoint", record, scopes)}
          onClick={() => ask({ call: () => pause(id, "checkpoint") })}
        />
        <ActionItem
          icon={IconSnowflake}
          label="Freeze"
          about="It stands still where it is, in memory, and keeps its slot."
          onClick={() => ask({ call: () => pause(id, "freeze") })}
        />
      </Menu.Dropdown>
    </Menu>
  );
}
