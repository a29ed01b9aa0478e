import { Skeleton } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { Execution, Schemas } from "../api/types";
import classes from "../execution/Execution.module.css";
import { Lead, titleOf } from "../execution/Lead";
import { Standing } from "../execution/Standing";
import type { Tab } from "../execution/search";
import { Tabs } from "../execution/Tabs";
import { TimelinePanel } from "../execution/TimelinePanel";
import { Times } from "../execution/Times";
import { useExecution } from "../executions/queries";
import { ConnectionMark } from "../layout/ConnectionMark";
import { Page } from "../layout/Page";
import { keepingKey } from "../session/guest";
import { ProblemView } from "../ui/ProblemView";
import { useFollowing } from "./following";
import { SharedFrame } from "./SharedFrame";
import { SharedNote } from "./SharedNote";

const route = getRouteApi("/shared/$id");

/** What a share shows: neither what can be done, nor what leads to anything else. */
const SHOWN: readonly Tab[] = ["log", "outputs", "details", "history", "attempts", "result", "usage", "json"];

interface SharedExecutionProps {
  id: string;
  share: Schemas["SharedView"];
}

/** The page of an execution for guests: the same parts, without the actions. */
export function SharedExecution({ id, share }: SharedExecutionProps) {
  const connection = useFollowing(id);
  const { data: record, error } = useExecution(id);
  return (
    <SharedFrame id={id} aside={<ConnectionMark connection={connection} />}>
      <SharedNote share={share} />
      {record ? <Shown record={record} /> : error ? <ProblemView error={error} /> : <Skeleton h={320} />}
    </SharedFrame>
  );
}

function Shown({ record }: { record: Execution }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page title={titleOf(record)} lead={<Lead record={record} />}>
      <div className={classes.top}>
        <Standing record={record} />
        <TimelinePanel record={record} />
        <Times record={record} />
      </div>
      <Tabs
        record={record}
        tabs={SHOWN}
        search={search}
        onSearch={(to) =>
          void navigate({
            search: to,
            hash: (hash) => keepingKey(hash ?? "", ""),
            replace: to.tab === search.tab,
            resetScroll: false,
            hashScrollIntoView: false,
          })
        }
      />
    </Page>
  );
}
