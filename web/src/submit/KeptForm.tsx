import { Skeleton, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, ask } from "../api/client";
import { SCHEDULES, scheduleQuery, TRIGGERS, triggerQuery } from "../schedules/queries";
import type { Target } from "../schedules/targets";
import { ProblemView } from "../ui/ProblemView";
import type { SubmitRequest } from "./requests";
import { targetFor } from "./requests";
import { TargetForm } from "./TargetForm";

/** One of the things that a schedule submits. */
export function ScheduleTargetForm({ id, index }: { id: string; index: number }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { data: schedule, error } = useQuery(scheduleQuery(id));
  if (error) return <ProblemView error={error} />;
  const target = schedule?.targets[index] as Target | undefined;
  if (!schedule) return <Skeleton h={300} radius="md" />;
  if (!target) return <Text>It submits no such thing any more.</Text>;
  const save = async (request: SubmitRequest) => {
    const targets = schedule.targets.map((each, at) => (at === index ? targetFor(request) : each));
    await ask(api.PATCH("/v1/schedules/{id}", { params: { path: { id } }, body: { targets } }));
    await client.invalidateQueries({ queryKey: SCHEDULES });
    await navigate({ to: "/schedules/$id", params: { id } });
  };
  const prefix = `targets[${index}].`;
  return (
    <TargetForm
      target={target}
      head={<Head kind="schedule" name={schedule.name} />}
      keep={{ prefix, save }}
    />
  );
}

/** What a trigger submits. */
export function TriggerTargetForm({ id }: { id: string }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { data: trigger, error } = useQuery(triggerQuery(id));
  if (error) return <ProblemView error={error} />;
  if (!trigger) return <Skeleton h={300} radius="md" />;
  const save = async (request: SubmitRequest) => {
    const body = { target: targetFor(request) };
    await ask(api.PATCH("/v1/triggers/{id}", { params: { path: { id } }, body }));
    await client.invalidateQueries({ queryKey: TRIGGERS });
    await navigate({ to: "/triggers/$id", params: { id } });
  };
  const head = <Head kind="trigger" name={trigger.name} />;
  return <TargetForm target={trigger.target as Target} head={head} keep={{ prefix: "target.", save }} />;
}

function Head({ kind, name }: { kind: string; name: string }) {
  return (
    <Text fw={600}>
      What the {kind} {name} submits
    </Text>
  );
}
