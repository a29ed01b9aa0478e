import { Skeleton, Stack } from "@mantine/core";
import { IconGhost } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { asProblem } from "../api/problem";
import type { Execution } from "../api/types";
import { Actions } from "../execution/Actions";
import classes from "../execution/Execution.module.css";
import { Lead, titleOf } from "../execution/Lead";
import { useQueuePlace } from "../execution/place";
import { Standing } from "../execution/Standing";
import { Tabs } from "../execution/Tabs";
import { TimelinePanel } from "../execution/TimelinePanel";
import { Times } from "../execution/Times";
import { Page } from "../layout/Page";
import { EmptyState } from "../ui/EmptyState";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { useExecution } from "./queries";

const route = getRouteApi("/shell/executions/$id");

/** One execution, archived or not: how it stands, what it did and left, and what can be done with it. */
export function ExecutionPage() {
  const { id } = route.useParams();
  const { data: record, error } = useExecution(id);
  if (error && asProblem(error).status === 404) return <Gone id={id} wasThere={record !== undefined} />;
  if (record) return <Shown key={id} record={record} />;
  if (error)
    return (
      <Page title="Execution">
        <ProblemView error={error} />
      </Page>
    );
  return (
    <Stack>
      <Skeleton h={32} maw="20rem" />
      <Skeleton h={180} />
      <Skeleton h={320} />
    </Stack>
  );
}

function Shown({ record }: { record: Execution }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  useQueuePlace(record);
  return (
    <Page title={titleOf(record)} lead={<Lead record={record} />} actions={<Actions record={record} />}>
      <div className={classes.top}>
        <Standing record={record} />
        <TimelinePanel record={record} />
        <Times record={record} />
      </div>
      <Tabs
        record={record}
        search={search}
        onSearch={(to) => void navigate({ search: to, replace: to.tab === search.tab, resetScroll: false })}
      />
    </Page>
  );
}

function Gone({ id, wasThere }: { id: string; wasThere: boolean }) {
  return (
    <Page title={wasThere ? "It is gone" : "No such execution"}>
      <EmptyState
        icon={IconGhost}
        title={wasThere ? "It was deleted" : "There is no such execution"}
        text={
          wasThere
            ? "With all that belonged to it."
            : `…${id.slice(-8)} is not there, or it is somebody else's.`
        }
        action={<TextLink to="/executions">To the list</TextLink>}
      />
    </Page>
  );
}
