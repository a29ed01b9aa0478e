import { useDocumentTitle } from "@mantine/hooks";
import { getRouteApi } from "@tanstack/react-router";
import { useExecution } from "../executions/queries";
import { TextLink } from "../ui/IdLink";
import { StatusBadge } from "../ui/StatusBadge";
import { LogView } from "./LogView";
import classes from "./logs.module.css";

const route = getRouteApi("/shell/executions/$id/log");

/** A log, and nothing beside it. */
export function LogPage() {
  const { id } = route.useParams();
  const { data: execution } = useExecution(id);
  const name = execution?.name ?? `…${id.slice(-8)}`;
  useDocumentTitle(`Log of ${name} · Tailrace`);
  return (
    <div className={classes.page}>
      <h1 className={classes.title}>
        <span className={classes.of}>Log of </span>
        <TextLink to="/executions/$id" params={{ id }}>
          {name}
        </TextLink>
        {execution && <StatusBadge status={execution.status} execution={execution} />}
      </h1>
      <LogView key={id} executionId={id} isPage />
    </div>
  );
}
