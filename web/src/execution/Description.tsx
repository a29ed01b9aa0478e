import { Button, Group, Stack, TagsInput, Textarea, TextInput } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useState } from "react";
import type { Execution } from "../api/types";
import { patchOf } from "../submit/json";
import { ChangeProblem } from "../ui/ChangeProblem";
import { labelPatch, labelText } from "./labels";
import { change, useOperations } from "./operations";

/** Its name, note and labels, which may be changed always. */
export function Description({ record }: { record: Execution }) {
  const [name, setName] = useState(record.name ?? "");
  const [note, setNote] = useState(record.note ?? "");
  const [labels, setLabels] = useState(Object.entries(record.labels).map(labelText));
  const [seen] = useState(record);
  const operations = useOperations(record.id);
  const save = (from: Execution) => {
    const changed = patchOf({ name: seen.name, note: seen.note }, { name: name || null, note: note || null });
    const patch = { ...changed, labels: labelPatch(labels, seen.labels) };
    operations.mutate({
      call: async () => {
        await change(from, patch);
        modals.closeAll();
      },
    });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save(seen);
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Name"
          value={name}
          maxLength={200}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        <Textarea
          label="Note"
          value={note}
          maxLength={4000}
          autosize
          minRows={2}
          maxRows={8}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
        <TagsInput label="Labels" description="As key=value" value={labels} onChange={setLabels} />
        <ChangeProblem error={operations.error} onAgain={save} onLeave={() => modals.closeAll()} />
        <Group justify="flex-end">
          <Button type="submit" loading={operations.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
