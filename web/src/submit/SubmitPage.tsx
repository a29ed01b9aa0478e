import { SegmentedControl, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../layout/Page";
import { methodsQuery } from "../methods/queries";
import { AgainForm } from "./AgainForm";
import { ScheduleTargetForm, TriggerTargetForm } from "./KeptForm";
import { MethodForm } from "./MethodForm";
import { SubmitForm } from "./SubmitForm";

const route = getRouteApi("/shell/submit");
const IMAGE = { kind: "image" } as const;
const NOTHING = {};

/** Submit by a method or an image, or run again what has ended. */
export function SubmitPage() {
  const { rerun, resume_from, schedule, target = 0, trigger } = route.useSearch();
  const again = rerun ?? resume_from;
  if (again)
    return (
      <Page title="Run again">
        <AgainForm key={again} id={again} fromCheckpoint={rerun === undefined} />
      </Page>
    );
  if (schedule)
    return (
      <Page title="Change what is submitted">
        <ScheduleTargetForm key={`${schedule} ${target}`} id={schedule} index={target} />
      </Page>
    );
  if (trigger)
    return (
      <Page title="Change what is submitted">
        <TriggerTargetForm key={trigger} id={trigger} />
      </Page>
    );
  return (
    <Page title="Submit">
      <Fresh />
    </Page>
  );
}

function Fresh() {
  const { method, by } = route.useSearch();
  const navigate = route.useNavigate();
  const methods = useQuery({ ...methodsQuery({}), enabled: method === undefined && by === undefined });
  if (methods.isLoading) return <Skeleton h={240} radius="md" />;
  const mode = method ? "method" : (by ?? (methods.data?.items.length ? "method" : "image"));
  const head = (
    <SegmentedControl
      aria-label="Submit by"
      value={mode}
      data={[
        { value: "method", label: "A method" },
        { value: "image", label: "Any image" },
      ]}
      onChange={(value) =>
        void navigate({ search: { by: value === "image" ? "image" : "method" }, replace: true })
      }
    />
  );
  if (mode === "method") return <MethodForm head={head} />;
  return (
    <SubmitForm subject={IMAGE} initial={NOTHING} fields={null} presets={NOTHING} head={head} verb="Submit" />
  );
}
