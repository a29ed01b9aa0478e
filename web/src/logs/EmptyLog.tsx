import { Loader } from "@mantine/core";
import { IconFilterOff, IconHourglass, IconNotes } from "@tabler/icons-react";
import type { Execution } from "../api/types";
import { EmptyState } from "../ui/EmptyState";
import { WAITING } from "../ui/statuses";
import { isEverything } from "./query";
import type { LogStore } from "./store";

/** Why there are no lines. */
export function EmptyLog({ store, execution }: { store: LogStore; execution: Execution | undefined }) {
  if (store.problem) return null;
  if (!store.isReady) return <Loader size="sm" aria-label="The log is read" />;
  if (!isEverything(store.query))
    return (
      <EmptyState
        icon={IconFilterOff}
        title="No such lines"
        text="None of what is shown here has been written."
      />
    );
  const waits = execution?.waiting_on;
  if (store.status === "queued")
    return (
      <EmptyState
        icon={IconHourglass}
        title="It has not begun yet"
        text={waits ? WAITING[waits] : "It waits for its turn"}
      />
    );
  if (store.end)
    return <EmptyState icon={IconNotes} title="There is no log" text="It has ended without a line." />;
  return (
    <EmptyState
      icon={IconHourglass}
      title="Nothing yet"
      text="Lines are shown as soon as they are written."
    />
  );
}
