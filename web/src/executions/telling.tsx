import { Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type Act, doToEach, type Outcome } from "./bulk";

const SAID: Record<Act, string> = {
  cancel: "asked to stop",
  rerun: "submitted again",
  archive: "archived",
  restore: "restored",
  delete: "deleted",
};
/** How what was done is taken back. */
const UNDO: Partial<Record<Act, (outcome: Outcome) => Promise<Outcome>>> = {
  archive: ({ done }) => doToEach("restore", done),
  restore: ({ done }) => doToEach("archive", done),
  rerun: ({ made }) => doToEach("cancel", made),
};
const UNDOABLE_FOR = 10_000;
/** So long can a deletion be called off; nothing is deleted before. */
export const SECOND_THOUGHTS = 6_000;

/** Say what came of it, with a way back where there is one. */
export function tell(act: Act, outcome: Outcome): void {
  const { done, refused } = outcome;
  const undo = UNDO[act];
  const id = `${act} ${Date.now()}`;
  const first = refused[0];
  notifications.show({
    id,
    color: refused.length > 0 ? "red" : "race",
    autoClose: UNDOABLE_FOR,
    title: `${counted(done.length)} ${SAID[act]}`,
    message: (
      <Group justify="space-between" gap="xs">
        {first && (
          <Text fz="sm">
            {counted(refused.length)} refused: {first.detail}
          </Text>
        )}
        {undo && done.length > 0 && (
          <UndoButton
            onUndo={() => {
              notifications.hide(id);
              void undo(outcome).then((undone) =>
                tell(act === "archive" ? "restore" : act === "restore" ? "archive" : "cancel", undone),
              );
            }}
          />
        )}
      </Group>
    ),
  });
}

/** Say what is about to be done, and do it unless it is called off in time; whether it was not. */
export function secondThoughts(count: number): Promise<boolean> {
  return new Promise((resolve) => {
    const id = `delete ${Date.now()}`;
    const timer = setTimeout(() => resolve(true), SECOND_THOUGHTS);
    notifications.show({
      id,
      color: "red",
      autoClose: SECOND_THOUGHTS,
      withCloseButton: false,
      title: `Deleting ${counted(count)}`,
      message: (
        <UndoButton
          onUndo={() => {
            clearTimeout(timer);
            notifications.hide(id);
            resolve(false);
          }}
        />
      ),
    });
  });
}

function UndoButton({ onUndo }: { onUndo: () => void }) {
  return (
    <Button size="compact-sm" variant="light" onClick={onUndo}>
      Undo
    </Button>
  );
}

/** `1 execution`, `3 executions`. */
export function counted(count: number): string {
  return `${count.toLocaleString()} ${count === 1 ? "execution" : "executions"}`;
}
