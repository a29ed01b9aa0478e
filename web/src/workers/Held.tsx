import { Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import type { Worker } from "../api/types";
import { NameLink, RunTime } from "../executions/columns";
import { useExecution } from "../executions/queries";
import { IdLink } from "../ui/IdLink";
import { StatusBadge } from "../ui/StatusBadge";
import classes from "./Workers.module.css";

const SHOWN = 5;

/** What a worker holds now, as far as one may see it. */
export function Held({ worker: { executions, busy, state } }: { worker: Worker }) {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? executions : executions.slice(0, SHOWN);
  const hidden = busy - executions.length;
  if (state === "gone") return null;
  if (busy === 0)
    return (
      <Text fz="sm" c="dimmed">
        Runs nothing.
      </Text>
    );
  return (
    <div>
      {shown.length > 0 && (
        <ul className={classes.held}>
          {shown.map((id) => (
            <HeldOne key={id} id={id} />
          ))}
        </ul>
      )}
      {executions.length > shown.length && (
        <UnstyledButton fz="sm" className={classes.more} onClick={() => setAll(true)}>
          Show {executions.length - shown.length} more
        </UnstyledButton>
      )}
      {hidden > 0 && (
        <Text fz="sm" c="dimmed">
          {hidden === 1 ? "1 of somebody else." : `${hidden} of other owners.`}
        </Text>
      )}
    </div>
  );
}

function HeldOne({ id }: { id: string }) {
  const { data: execution } = useExecution(id);
  if (!execution)
    return (
      <li>
        <IdLink id={id} />
      </li>
    );
  return (
    <li>
      <Text component="span" fz="sm" truncate flex={1} miw={0}>
        <NameLink execution={execution} />
      </Text>
      <StatusBadge status={execution.status} execution={execution} />
      <Text component="span" fz="xs" c="dimmed">
        <RunTime execution={execution} />
      </Text>
    </li>
  );
}
