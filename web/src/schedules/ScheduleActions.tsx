import { Button, Menu } from "@mantine/core";
import { IconBolt, IconEdit, IconListDetails, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { DeleteItem, MoreMenu } from "../ui/MoreMenu";
import { say, showProblem } from "../ui/notify";
import { SCHEDULES, type Schedule } from "./queries";

/** Pause, resume, fire now, change and delete. */
export function ScheduleActions({ schedule }: { schedule: Schedule }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const maySubmit = useMay("submit");
  const params = { path: { id: schedule.id } };
  const refresh = () => client.invalidateQueries({ queryKey: SCHEDULES });
  const toggle = useMutation({
    mutationFn: (enabled: boolean) => ask(api.PATCH("/v1/schedules/{id}", { params, body: { enabled } })),
    onSuccess: refresh,
    onError: showProblem,
  });
  const fire = useMutation({
    mutationFn: () => ask(api.POST("/v1/schedules/{id}/fire", { params })),
    onSuccess: async (run) => {
      say(run.status === "fired" ? "It was submitted." : (run.message ?? "It was not submitted."));
      await refresh();
    },
    onError: showProblem,
  });
  const remove = async () => {
    await api.DELETE("/v1/schedules/{id}", { params });
    await navigate({ to: "/schedules" });
    await refresh();
  };
  return (
    <>
      <Button
        variant="default"
        disabled={!maySubmit}
        loading={toggle.isPending}
        leftSection={schedule.enabled ? <IconPlayerPause size={16} /> : <IconPlayerPlay size={16} />}
        onClick={() => toggle.mutate(!schedule.enabled)}
      >
        {schedule.enabled ? "Pause" : "Resume"}
      </Button>
      <Button
        disabled={!maySubmit}
        loading={fire.isPending}
        leftSection={<IconBolt size={16} />}
        onClick={() => fire.mutate()}
      >
        Run now
      </Button>
      <MoreMenu>
        <Menu.Item
          leftSection={<IconEdit size={16} />}
          disabled={!maySubmit}
          onClick={() => void navigate({ to: "/schedule-editor", search: { id: schedule.id } })}
        >
          Change
        </Menu.Item>
        <Menu.Item
          leftSection={<IconListDetails size={16} />}
          onClick={() => void navigate({ to: "/executions", search: { schedule: schedule.id } })}
        >
          What it has submitted
        </Menu.Item>
        <DeleteItem
          question={`Delete the schedule ${schedule.name}?`}
          consequence="What it has submitted stays."
          disabled={!maySubmit}
          onConfirm={remove}
        />
      </MoreMenu>
    </>
  );
}
