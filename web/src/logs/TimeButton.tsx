import { ActionIcon, Button, Popover, TextInput, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconClockSearch } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import { asProblem } from "../api/problem";
import { sinceOf } from "./moment";
import { seqAt } from "./pages";
import type { LogStore } from "./store";

interface TimeButtonProps {
  store: LogStore;
  start: number;
}

/** Goes to the first line from a time on. */
export function TimeButton({ store, start }: TimeButtonProps) {
  const [opened, { toggle, close }] = useDisclosure();
  const [typed, setTyped] = useState("");
  const [error, setError] = useState<string | null>(null);

  async function go(event: FormEvent): Promise<void> {
    event.preventDefault();
    try {
      const seq = await seqAt(store.execution, store.query, sinceOf(typed, start));
      if (seq === null) return setError("There is nothing from then on.");
      close();
      await store.goTo(seq, "start");
    } catch (thrown) {
      const problem = asProblem(thrown);
      setError(problem.errors[0]?.message ?? problem.detail);
    }
  }

  return (
    <Popover opened={opened} onChange={toggle} position="bottom-end" withArrow trapFocus>
      <Popover.Target>
        <Tooltip label="Jump to a time">
          <ActionIcon variant="subtle" color="gray" aria-label="Jump to a time" onClick={toggle}>
            <IconClockSearch size={18} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <form onSubmit={(event) => void go(event)}>
          <TextInput
            label="Jump to a time"
            description="14:30, +1:30 from its start, 10m ago, or a date"
            size="xs"
            placeholder="14:30:05"
            value={typed}
            onChange={(event) => {
              setTyped(event.currentTarget.value);
              setError(null);
            }}
            error={error}
            data-autofocus
          />
          <Button type="submit" size="compact-sm" mt="xs" disabled={!typed.trim()}>
            Go
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
