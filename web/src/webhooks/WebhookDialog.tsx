import { Button, Checkbox, Group, MultiSelect, Stack, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import { useMay } from "../session/session";
import { FormErrors } from "../submit/errors";
import { Dialog } from "../ui/Dialog";
import { readLabels, spellLabels } from "../ui/labelText";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { WEBHOOKS } from "./queries";
import { SecretDialog } from "./SecretDialog";
import { askable, ENDS, EVENTS, type Webhook } from "./sending";

const FIELDS = ["url", "description", "events", "pools", "methods", "labels", "owner"];

/** What is sent where; to make a webhook, and to change one. */
export function WebhookDialog({ webhook, onClose }: { webhook?: Webhook; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const isAdmin = useMay("admin");
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [events, setEvents] = useState<string[]>(webhook?.events ?? [...ENDS]);
  const [pools, setPools] = useState(webhook?.pools ?? []);
  const [methods, setMethods] = useState(webhook?.methods ?? []);
  const [labels, setLabels] = useState(spellLabels(webhook?.labels ?? {}));
  const [isOfAll, setOfAll] = useState(false);
  const saving = useMutation({
    mutationFn: async () => {
      const body = {
        url: url.trim(),
        description: description.trim() || null,
        events: askable(events),
        pools,
        methods,
        labels: readLabels(labels),
        enabled: webhook?.enabled ?? true,
      };
      if (!webhook)
        return ask(api.POST("/v1/webhooks", { body: { ...body, ...(isOfAll && { owner: "*" }) } }));
      await ask(api.PATCH("/v1/webhooks/{id}", { params: { path: { id: webhook.id } }, body }));
      return null;
    },
    onSuccess: async (made) => {
      await client.invalidateQueries({ queryKey: WEBHOOKS });
      if (made) return;
      say("The webhook was changed.");
      onClose();
    },
  });
  const errors = saving.error ? new FormErrors(asProblem(saving.error).errors) : FormErrors.none;
  const made = saving.data;
  if (made) {
    const leave = () => {
      onClose();
      void navigate({ to: "/webhooks/$id", params: { id: made.id } });
    };
    return <SecretDialog secret={made.secret} onClose={leave} />;
  }
  return (
    <Dialog onClose={onClose} title={webhook ? "Change the webhook" : "New webhook"} size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="Address"
            description="Where messages are posted to: http or https, at a public address."
            placeholder="https://example.com/hooks/tailrace"
            required
            data-autofocus
            maxLength={2048}
            value={url}
            error={errors.at("url")}
            onChange={({ currentTarget: { value } }) => setUrl(value)}
          />
          <MultiSelect
            label="What is sent"
            data={[...EVENTS]}
            searchable
            value={events}
            error={errors.at("events")}
            onChange={setEvents}
          />
          <TagsInput
            label="Only in these pools"
            value={pools}
            error={errors.at("pools")}
            onChange={setPools}
          />
          <TagsInput
            label="Only of these methods"
            value={methods}
            error={errors.at("methods")}
            onChange={setMethods}
          />
          <Textarea
            label="Only with these labels"
            description="One key=value a line: all of them."
            autosize
            minRows={1}
            maxRows={6}
            value={labels}
            error={errors.at("labels")}
            onChange={({ currentTarget: { value } }) => setLabels(value)}
          />
          <TextInput
            label="Description"
            value={description}
            error={errors.at("description")}
            onChange={({ currentTarget: { value } }) => setDescription(value)}
          />
          {isAdmin && !webhook && (
            <Checkbox
              label="Of all owners"
              description="Left out: of what is yours."
              checked={isOfAll}
              error={errors.at("owner")}
              onChange={({ currentTarget: { checked } }) => setOfAll(checked)}
            />
          )}
          <ProblemView error={saving.error} shownFields={FIELDS} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={saving.isPending} disabled={events.length === 0}>
              {webhook ? "Save" : "Make it"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
