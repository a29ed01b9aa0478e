import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import { FormErrors } from "../submit/errors";
import { Dialog } from "../ui/Dialog";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { nameFault } from "./naming";
import { SECRETS, type Secret } from "./queries";
import { ValueField } from "./ValueField";

interface PutSecretDialogProps {
  /** Whose value is replaced; none: a new one is made. */
  secret?: Secret;
  /** Names that a new one cannot have. */
  taken?: readonly string[];
  onClose: () => void;
}

/** Keep a value under a name. */
export function PutSecretDialog({ secret, taken = [], onClose }: PutSecretDialogProps) {
  const client = useQueryClient();
  const [name, setName] = useState(secret?.name ?? "");
  const [value, setValue] = useState("");
  const fault = secret ? null : nameFault(name, taken);
  const saving = useMutation({
    mutationFn: () => ask(api.PUT("/v1/secrets/{name}", { params: { path: { name } }, body: { value } })),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: SECRETS });
      say(secret ? `${name} has its new value.` : `${name} is kept.`);
      onClose();
    },
  });
  const errors = new FormErrors(saving.error ? asProblem(saving.error).errors : []);
  return (
    <Dialog onClose={onClose} title={secret ? `A new value for ${secret.name}` : "New secret"}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <Stack gap="sm">
          {!secret && (
            <TextInput
              label="Name"
              description="By which it is chosen when something is submitted."
              placeholder="hub-token"
              required
              data-autofocus
              maxLength={100}
              value={name}
              error={fault ?? errors.at("name")}
              autoComplete="off"
              spellCheck={false}
              onChange={({ currentTarget }) => setName(currentTarget.value)}
            />
          )}
          <ValueField value={value} error={errors.at("value")} onChange={setValue} />
          {secret && <span>What was submitted before keeps the value that it has, until it ends.</span>}
          <ProblemView error={saving.error} shownFields={["name", "value"]} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button
              type="submit"
              loading={saving.isPending}
              disabled={name === "" || value === "" || fault !== null}
            >
              {secret ? "Replace it" : "Keep it"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
