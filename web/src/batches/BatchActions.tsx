import { Button, Menu } from "@mantine/core";
import { IconDownload, IconPlayerStop, IconRefresh } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { ask as confirm } from "../ui/ConfirmButton";
import { DeleteItem, MoreMenu } from "../ui/MoreMenu";
import { say, showProblem } from "../ui/notify";
import { BATCHES, type Batch } from "./queries";

/** What can be done with all of a batch. */
export function BatchActions({ batch }: { batch: Batch }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const maySubmit = useMay("submit");
  const mayCancel = useMay("cancel");
  const params = { path: { id: batch.id } };
  const isOver = batch.finished_at !== null;
  const refresh = () => client.invalidateQueries({ queryKey: BATCHES });

  const cancel = async (force: boolean) => {
    await ask(api.POST("/v1/batches/{id}/cancel", { params, body: { force } }));
    say(force ? "All of it is killed." : "All of it is asked to stop.");
    await refresh();
  };
  const rerun = useMutation({
    mutationFn: (only: "failed" | "all") =>
      ask(api.POST("/v1/batches/{id}/rerun", { params, body: { only } })),
    onSuccess: (made) => {
      if ("id" in made) void navigate({ to: "/batches/$id", params: { id: made.id } });
    },
    onError: showProblem,
  });
  const remove = async () => {
    await api.DELETE("/v1/batches/{id}", { params });
    say("It is deleted with all of its children.");
    await navigate({ to: "/batches" });
    await refresh();
  };
  const failed = batch.progress.ended - (batch.progress.by_status["succeeded"] ?? 0);

  return (
    <>
      {!isOver && (
        <Button
          variant="default"
          disabled={!mayCancel}
          leftSection={<IconPlayerStop size={16} />}
          onClick={() =>
            confirm({
              question: "Cancel all of it?",
              consequence: "What waits ends at once; what runs is asked to stop, and may save its work.",
              confirm: "Cancel all",
              onConfirm: () => cancel(false),
            })
          }
        >
          Cancel all
        </Button>
      )}
      {isOver && failed > 0 && (
        <Button
          disabled={!maySubmit}
          loading={rerun.isPending}
          leftSection={<IconRefresh size={16} />}
          onClick={() => rerun.mutate("failed")}
        >
          Rerun what did not succeed
        </Button>
      )}
      <MoreMenu>
        <Menu.Item
          leftSection={<IconDownload size={16} />}
          component="a"
          href={batch.links.outputs}
          download={`${batch.name ?? batch.id}-outputs.zip`}
        >
          Outputs of all as a zip
        </Menu.Item>
        <Menu.Item
          leftSection={<IconRefresh size={16} />}
          disabled={!isOver || !maySubmit}
          onClick={() => rerun.mutate("all")}
        >
          Rerun all of it
        </Menu.Item>
        {!isOver && (
          <Menu.Item
            leftSection={<IconPlayerStop size={16} />}
            disabled={!mayCancel}
            onClick={() =>
              confirm({
                question: "Kill all of it?",
                consequence: "Programs get no time to save their work.",
                confirm: "Kill all",
                onConfirm: () => cancel(true),
              })
            }
          >
            Kill all
          </Menu.Item>
        )}
        <DeleteItem
          question="Delete it with all of its children?"
          consequence="Their records, logs and outputs go for good; what runs is stopped before."
          disabled={!mayCancel}
          onConfirm={remove}
        />
      </MoreMenu>
    </>
  );
}
