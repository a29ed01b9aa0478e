import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../layout/Page";
import { ProblemView } from "../ui/ProblemView";
import { scheduleQuery } from "./queries";
import { ScheduleForm } from "./ScheduleForm";

const route = getRouteApi("/shell/schedule-editor");

/** Make a schedule, or change one. */
export function EditorPage() {
  const { id } = route.useSearch();
  const schedule = useQuery({ ...scheduleQuery(id ?? ""), enabled: id !== undefined });
  if (id === undefined)
    return (
      <Page title="New schedule">
        <ScheduleForm />
      </Page>
    );
  return (
    <Page title={schedule.data ? `Change ${schedule.data.name}` : "Change a schedule"}>
      <ProblemView error={schedule.error} />
      {schedule.data ? <ScheduleForm key={id} schedule={schedule.data} /> : <Skeleton h={300} radius="md" />}
    </Page>
  );
}
