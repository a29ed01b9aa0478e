import { Button, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { FormErrors } from "../submit/errors";
import { Dialog } from "../ui/Dialog";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { USAGE } from "./queries";
import { FIELDS, type Field, readLimits, typedLimits } from "./shares";

const KEYS: readonly Field[] = FIELDS.map(({ key }) => key);

/** Give an owner limits of their own, or take them back. */
export function LimitsDialog({ quota, onClose }: { quota: Schemas["QuotaView"]; onClose: () => void }) {
  const client = useQueryClient();
  const [typed, setTyped] = useState(() => typedLimits(quota));
  const { owner } = quota;
  const params = { path: { owner } };
  const done = async (message: string) => {
    await client.invalidateQueries({ queryKey: USAGE });
    say(message);
    onClose();
  };
  const saving = useMutation({
    mutationFn: () => ask(api.PUT("/v1/quotas/{owner}", { params, body: readLimits(typed) })),
    onSuccess: () => done(`The limits of ${owner} were changed.`),
  });
  const removing = useMutation({
    mutationFn: () => api.DELETE("/v1/quotas/{owner}", { params }),
    onSuccess: () => done(`The defaults hold for ${owner}.`),
  });
  const error = saving.error ?? removing.error;
  const errors = error ? new FormErrors(asProblem(error).errors) : FormErrors.none;
  return (
    <Dialog onClose={onClose} title={`Limits of ${owner}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <Stack gap="sm">
          <Text fz="sm" c="dimmed">
            Left empty, the default holds. Sizes with a unit: 512MiB, 16GiB. What is there already stays.
          </Text>
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            {FIELDS.map(({ key, label, isSize }, index) => (
              <TextInput
                key={key}
                label={label}
                placeholder="default"
                inputMode={isSize ? "text" : "decimal"}
                data-autofocus={index === 0 || undefined}
                maxLength={32}
                value={typed[key]}
                error={errors.at(key)}
                onChange={({ currentTarget: { value } }) =>
                  setTyped((before) => ({ ...before, [key]: value }))
                }
              />
            ))}
          </SimpleGrid>
          <ProblemView error={error} shownFields={KEYS} />
          <Group justify="flex-end" gap="xs">
            {quota.updated_at && (
              <Button
                variant="subtle"
                c="var(--status-failed)"
                loading={removing.isPending}
                onClick={() => removing.mutate()}
              >
                Back to the defaults
              </Button>
            )}
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={saving.isPending}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
