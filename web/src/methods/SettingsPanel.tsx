import { Button, Group, NumberInput, Paper, Select, Stack, Switch, TagsInput, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { useMe } from "../session/session";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { METHODS, type Method } from "./queries";

const VISIBILITIES = [
  { value: "private", label: "Its owner alone" },
  { value: "named", label: "Those that are named" },
  { value: "everyone", label: "Everyone" },
];
const FIELDS = ["visibility", "shared_with", "max_running", "pause_after_failures", "retired"];

/** Who sees a method, how many of it run, and when it pauses by itself. Only its owner changes it. */
export function SettingsPanel({ method }: { method: Method }) {
  const { owner } = useMe();
  const isOwn = owner === method.owner;
  const client = useQueryClient();
  const [visibility, setVisibility] = useState(method.visibility);
  const [sharedWith, setSharedWith] = useState(method.shared_with);
  const [maxRunning, setMaxRunning] = useState<number | null>(method.max_running);
  const [pauseAfter, setPauseAfter] = useState<number | null>(method.pause_after_failures);
  const [retired, setRetired] = useState(method.retired_at !== null);
  const saving = useMutation({
    mutationFn: (body: Schemas["MethodChange"]) =>
      ask(api.PATCH("/v1/methods/{name}", { params: { path: { name: method.name } }, body })),
    onSuccess: () => {
      say("It is changed.");
      return client.invalidateQueries({ queryKey: METHODS });
    },
  });
  const errorAt = (field: string) =>
    saving.error
      ? asProblem(saving.error).errors.find((each) => each.field.startsWith(field))?.message
      : undefined;
  const asNumber = (said: string | number) => (said === "" ? null : Number(said));

  return (
    <Paper
      withBorder
      radius="md"
      p="md"
      maw="40rem"
      component="form"
      aria-label="Sharing and limits"
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate({
          visibility,
          shared_with: visibility === "named" ? sharedWith : [],
          max_running: maxRunning,
          pause_after_failures: pauseAfter,
          retired,
        });
      }}
    >
      <Stack gap="md">
        {!isOwn && (
          <Text c="dimmed" fz="sm">
            It is {method.owner}’s, who alone changes this.
          </Text>
        )}
        <Select
          label="Who sees and submits it"
          data={VISIBILITIES}
          value={visibility}
          allowDeselect={false}
          disabled={!isOwn}
          onChange={(next) => setVisibility((next ?? "private") as Method["visibility"])}
        />
        {visibility === "named" && (
          <TagsInput
            label="Owners beside you"
            value={sharedWith}
            error={errorAt("shared_with")}
            disabled={!isOwn}
            acceptValueOnBlur
            onChange={setSharedWith}
          />
        )}
        <NumberInput
          label="So many run at once"
          description="Of all owners, in all pools. Empty: as many as there are slots."
          value={maxRunning ?? ""}
          error={errorAt("max_running")}
          disabled={!isOwn}
          allowDecimal={false}
          onChange={(said) => setMaxRunning(asNumber(said))}
        />
        <NumberInput
          label="Disabled after so many failures in a row"
          description={`Empty: never. By now ${method.failures} in a row.`}
          value={pauseAfter ?? ""}
          error={errorAt("pause_after_failures")}
          disabled={!isOwn}
          allowDecimal={false}
          onChange={(said) => setPauseAfter(asNumber(said))}
        />
        <Switch
          label="Retired: hidden, and nothing of it is accepted"
          checked={retired}
          disabled={!isOwn}
          onChange={({ currentTarget }) => setRetired(currentTarget.checked)}
        />
        <ProblemView error={saving.error} shownFields={FIELDS} />
        {isOwn && (
          <Group>
            <Button type="submit" loading={saving.isPending}>
              Change
            </Button>
          </Group>
        )}
      </Stack>
    </Paper>
  );
}
