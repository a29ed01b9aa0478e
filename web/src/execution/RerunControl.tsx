import { Button, Menu } from "@mantine/core";
import { IconChevronDown, IconDeviceFloppy, IconPencil, IconRefresh } from "@tabler/icons-react";
import { useRouter } from "@tanstack/react-router";
import { useRef } from "react";
import type { Execution } from "../api/types";
import { useMe } from "../session/session";
import { say } from "../ui/notify";
import { ActionItem } from "./ActionItem";
import { rerun, useOperations } from "./operations";
import { missing, whyNoCheckpoint, whyNot } from "./possible";

/** Run it again: as it was, edited, or from its checkpoint. The new one is shown. */
export function RerunControl({ record }: { record: Execution }) {
  const { scopes } = useMe();
  const router = useRouter();
  const operations = useOperations(record.id);
  const keys = useRef(new Map<string, string>());
  const again = (changes: Record<string, unknown>) => {
    const what = JSON.stringify(changes);
    const key = keys.current.get(what) ?? crypto.randomUUID();
    keys.current.set(what, key);
    operations.mutate({
      call: async () => {
        const { id } = await rerun(record.id, key, changes);
        keys.current.delete(what);
        await router.navigate({ to: "/executions/$id", params: { id } });
        say("This is the new one. The one before is told of under Lineage.");
      },
    });
  };
  return (
    <Menu position="bottom-end" withInitialFocusPlaceholder={false} width={300}>
      <Menu.Target>
        <Button
          variant="default"
          loading={operations.isPending}
          leftSection={<IconRefresh size={16} />}
          rightSection={<IconChevronDown size={14} />}
        >
          Run again
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <ActionItem
          icon={IconRefresh}
          label="As it was"
          about="The same image, command, inputs and limits."
          why={whyNot("rerun", record, scopes)}
          onClick={() => again({})}
        />
        <ActionItem
          icon={IconPencil}
          label="Edit and run again"
          about="The form, filled in with what this one was submitted with."
          why={missing("submit", scopes)}
          onClick={() => void router.navigate({ to: "/submit", search: { rerun: record.id } })}
        />
        <ActionItem
          icon={IconDeviceFloppy}
          label="Go on from its checkpoint"
          about="The same, from what it saved last."
          why={whyNoCheckpoint(record, scopes)}
          onClick={() => again({ from_checkpoint: true })}
        />
      </Menu.Dropdown>
    </Menu>
  );
}
