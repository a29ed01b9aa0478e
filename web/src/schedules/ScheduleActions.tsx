import { Button, Menu } from "@mantine/core";
import {
  IconBolt,
  IconChevronDown,
  IconEdit,
  IconListDetails,
  IconPlayerPause,
  IconPlayerPlay,
  IconTrash,
} from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { ask as confirm } from "../ui/ConfirmButton";
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
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default" rightSection={<IconChevronDown size={16} />}>
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
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
          <Menu.Item
            color="red"
            leftSection={<IconTrash size={16} />}
            disabled={!maySubmit}
            onClick={() =>
              confirm({
                question: `Delete the schedule ${schedule.name}?`,
                consequence: "What it has submitted stays.",
                confirm: "Delete",
                onConfirm: remove,
              })
            }
          >
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
