import { Button, Group, NumberInput, Stack, Textarea } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { asProblem } from "../api/problem";
import type { Pool } from "../api/types";
import { Dialog } from "../ui/Dialog";
import { ProblemView } from "../ui/ProblemView";
import { limitOf } from "./standing";

type Fields = Pick<Pool, "description" | "max_running" | "max_running_per_owner">;

interface PoolDialogProps {
  title: string;
  confirm: string;
  before: Fields;
  onSave: (fields: Fields) => Promise<void>;
  onClose: () => void;
  /** The field of the name, given what is wrong with it. */
  children?: (error: string | undefined) => ReactNode;
}

const FIELDS = ["name", "description", "max_running", "max_running_per_owner"];

/** The fields of a pool. */
export function PoolDialog({ title, confirm, before, onSave, onClose, children }: PoolDialogProps) {
  const [description, setDescription] = useState(before.description ?? "");
  const [most, setMost] = useState<number | string>(before.max_running ?? "");
  const [each, setEach] = useState<number | string>(before.max_running_per_owner ?? "");
  const saving = useMutation({
    mutationFn: () =>
      onSave({
        description: description.trim() || null,
        max_running: limitOf(most),
        max_running_per_owner: limitOf(each),
      }),
    onSuccess: onClose,
  });
  const wrong = saving.error ? asProblem(saving.error).errors : [];
  const errorOf = (name: string) => wrong.find(({ field }) => field === name)?.message;
  return (
    <Dialog onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <Stack gap="sm">
          {children?.(errorOf("name"))}
          <Textarea
            label="Description"
            autosize
            minRows={1}
            maxRows={6}
            value={description}
            error={errorOf("description")}
            onChange={({ currentTarget: { value } }) => setDescription(value)}
          />
          <NumberInput
            label="At most under way"
            description="Empty: as many as there are slots. 0: nothing is started."
            min={0}
            max={1_000_000}
            allowDecimal={false}
            value={most}
            error={errorOf("max_running")}
            onChange={setMost}
          />
          <NumberInput
            label="At most of each owner"
            description="Empty: as many as there may be."
            min={0}
            max={1_000_000}
            allowDecimal={false}
            value={each}
            error={errorOf("max_running_per_owner")}
            onChange={setEach}
          />
          <ProblemView error={saving.error} shownFields={FIELDS} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={saving.isPending}>
              {confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
