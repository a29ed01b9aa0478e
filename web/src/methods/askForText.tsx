import { Button, Group, Stack, TextInput } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useState } from "react";
import { asProblem } from "../api/problem";

interface Question {
  title: string;
  label: string;
  initial: string;
  confirm: string;
  onConfirm(text: string): Promise<unknown>;
}

/** Ask for one text. What the API has against it is said beside it. */
export function askForText(question: Question): void {
  const id = modals.open({
    title: question.title,
    children: <TextForm {...question} onDone={() => modals.close(id)} />,
  });
}

function TextForm({ label, initial, confirm, onConfirm, onDone }: Question & { onDone(): void }) {
  const [text, setText] = useState(initial);
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  async function send(): Promise<void> {
    setBusy(true);
    try {
      await onConfirm(text.trim());
      onDone();
    } catch (thrown) {
      const { errors, detail } = asProblem(thrown);
      setError(errors.length > 0 ? errors.map(({ message }) => message).join("; ") : detail);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <Stack gap="md">
        <TextInput
          label={label}
          value={text}
          error={error}
          data-autofocus
          onChange={({ currentTarget }) => setText(currentTarget.value)}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            No
          </Button>
          <Button type="submit" loading={isBusy} disabled={!text.trim()}>
            {confirm}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
