import { Button, Menu } from "@mantine/core";
import { IconEdit, IconSend } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import { useMay } from "../session/session";
import { EnableItem } from "../ui/EnableItem";
import { DeleteItem, MoreMenu } from "../ui/MoreMenu";
import { say, showProblem } from "../ui/notify";
import { NOTIFICATIONS } from "./queries";
import { RuleDialog } from "./RuleDialog";
import type { Rule } from "./telling";

/** Send a test, change, disable, delete. */
export function RuleActions({ rule }: { rule: Rule }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const maySubmit = useMay("submit");
  const [isEditing, setEditing] = useState(false);
  const params = { path: { id: rule.id } };
  const refresh = () => client.invalidateQueries({ queryKey: NOTIFICATIONS });
  const test = useMutation({
    mutationFn: () => ask(api.POST("/v1/notifications/{id}/test", { params })),
    onSuccess: async () => {
      say("A test is on its way: below stands what comes of it.");
      await refresh();
    },
    onError: showProblem,
  });
  const toggle = useMutation({
    mutationFn: (enabled: boolean) => {
      const body: Partial<Schemas["RuleChange"]> = { enabled };
      return ask(api.PATCH("/v1/notifications/{id}", { params, body: body as Schemas["RuleChange"] }));
    },
    onSuccess: refresh,
    onError: showProblem,
  });
  const remove = async () => {
    await api.DELETE("/v1/notifications/{id}", { params });
    await navigate({ to: "/notifications" });
    client.removeQueries({ queryKey: [...NOTIFICATIONS, "one", rule.id] });
    await client.invalidateQueries({ queryKey: [...NOTIFICATIONS, "list"] });
  };
  if (!maySubmit) return null;
  return (
    <>
      <Button
        loading={test.isPending}
        disabled={!rule.enabled}
        leftSection={<IconSend size={16} />}
        onClick={() => test.mutate()}
      >
        Send a test
      </Button>
      <MoreMenu loading={toggle.isPending}>
        <Menu.Item leftSection={<IconEdit size={16} />} onClick={() => setEditing(true)}>
          Change
        </Menu.Item>
        <EnableItem enabled={rule.enabled} onChange={toggle.mutate} />
        <DeleteItem
          question="Delete this rule?"
          consequence="The log of what it has said goes, too."
          onConfirm={remove}
        />
      </MoreMenu>
      {isEditing && <RuleDialog rule={rule} onClose={() => setEditing(false)} />}
    </>
  );
}
