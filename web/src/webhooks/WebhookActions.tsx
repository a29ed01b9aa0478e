import { Button, Menu } from "@mantine/core";
import { IconEdit, IconRefresh, IconSend } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { ask as confirm } from "../ui/ConfirmButton";
import { EnableItem } from "../ui/EnableItem";
import { DeleteItem, MoreMenu } from "../ui/MoreMenu";
import { say, showProblem } from "../ui/notify";
import { WEBHOOKS } from "./queries";
import { SecretDialog } from "./SecretDialog";
import type { Webhook } from "./sending";
import { WebhookDialog } from "./WebhookDialog";

/** Send a test, change, disable, give a new secret, delete. */
export function WebhookActions({ webhook }: { webhook: Webhook }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const maySubmit = useMay("submit");
  const [isEditing, setEditing] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const params = { path: { id: webhook.id } };
  const refresh = () => client.invalidateQueries({ queryKey: WEBHOOKS });
  const ping = useMutation({
    mutationFn: () => ask(api.POST("/v1/webhooks/{id}/ping", { params })),
    onSuccess: async () => {
      say("A test is on its way: the log says what came of it.");
      await refresh();
    },
    onError: showProblem,
  });
  const toggle = useMutation({
    mutationFn: (enabled: boolean) => ask(api.PATCH("/v1/webhooks/{id}", { params, body: { enabled } })),
    onSuccess: refresh,
    onError: showProblem,
  });
  const rotate = async () => {
    const rotated = await ask(api.POST("/v1/webhooks/{id}/rotate", { params }));
    setSecret(rotated.secret);
    await refresh();
  };
  const remove = async () => {
    await api.DELETE("/v1/webhooks/{id}", { params });
    await navigate({ to: "/webhooks" });
    client.removeQueries({ queryKey: [...WEBHOOKS, "one", webhook.id] });
    await client.invalidateQueries({ queryKey: [...WEBHOOKS, "list"] });
  };
  if (!maySubmit) return null;
  return (
    <>
      <Button
        loading={ping.isPending}
        disabled={!webhook.enabled}
        leftSection={<IconSend size={16} />}
        onClick={() => ping.mutate()}
      >
        Send a test
      </Button>
      <MoreMenu loading={toggle.isPending}>
        <Menu.Item leftSection={<IconEdit size={16} />} onClick={() => setEditing(true)}>
          Change
        </Menu.Item>
        <EnableItem enabled={webhook.enabled} onChange={toggle.mutate} />
        <Menu.Item
          leftSection={<IconRefresh size={16} />}
          onClick={() =>
            confirm({
              question: "Give it a new secret?",
              consequence: "For a day messages have a signature by the one before, too.",
              confirm: "New secret",
              onConfirm: rotate,
            })
          }
        >
          New secret
        </Menu.Item>
        <DeleteItem
          question="Delete this webhook?"
          consequence="The log of its deliveries goes, too, and what still waits is not sent."
          onConfirm={remove}
        />
      </MoreMenu>
      {isEditing && <WebhookDialog webhook={webhook} onClose={() => setEditing(false)} />}
      {secret && <SecretDialog secret={secret} isNew onClose={() => setSecret(null)} />}
    </>
  );
}
