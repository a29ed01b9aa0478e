import { Button, Stack } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type Act, doToEach, type Outcome } from "./bulk";
import { Refused } from "./Refused";

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
/** So long can what was done be taken back, and a deletion be called off: nothing is deleted before. */
const UNDOABLE_FOR = 10_000;

/** Say what came of it, with a way back where there is one; what was refused by its name, until that is put away. */
export function tell(act: Act, outcome: Outcome, nameOf: (id: string) => string): void {
  const { done, refused } = outcome;
  const undo = UNDO[act];
  const id = `${act} ${Date.now()}`;
  notifications.show({
    id,
    color: refused.length > 0 ? "red" : "race",
    autoClose: refused.length > 0 ? false : UNDOABLE_FOR,
    title: `${counted(done.length)} ${SAID[act]}${refused.length > 0 ? `, ${refused.length.toLocaleString()} not` : ""}`,
    message: (
      <Stack gap="xs" align="flex-start">
        {refused.length > 0 && <Refused refused={refused} nameOf={nameOf} />}
        {undo && done.length > 0 && (
          <UndoButton
            onUndo={() => {
              notifications.hide(id);
              void undo(outcome).then((undone) =>
                tell(
                  act === "archive" ? "restore" : act === "restore" ? "archive" : "cancel",
                  undone,
                  nameOf,
                ),
              );
            }}
          />
        )}
      </Stack>
    ),
  });
}

/** Say what is about to be done, and do it unless it is called off in time; whether it was not. */
export function secondThoughts(count: number): Promise<boolean> {
  return new Promise((resolve) => {
    const id = `delete ${Date.now()}`;
    const timer = setTimeout(() => resolve(true), UNDOABLE_FOR);
    notifications.show({
      id,
      color: "red",
      autoClose: UNDOABLE_FOR,
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
