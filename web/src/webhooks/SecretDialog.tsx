import { Button, Group, Stack } from "@mantine/core";
import { Dialog } from "../ui/Dialog";
import { SecretOnce } from "../ui/SecretOnce";

interface SecretDialogProps {
  secret: string;
  /** Of a new one: until when messages have a signature by the one before, too. */
  isNew?: boolean;
  onClose: () => void;
}

/** The secret of a webhook, shown once. */
export function SecretDialog({ secret, isNew = false, onClose }: SecretDialogProps) {
  return (
    <Dialog onClose={onClose} title="The secret" closeOnClickOutside={false} closeOnEscape={false}>
      <Stack gap="sm">
        <SecretOnce title="Take it to the receiver" value={secret}>
          Messages are signed with it, as Standard Webhooks has it.
          {isNew && " For a day they have a signature by the one before, too."}
        </SecretOnce>
        <Group justify="flex-end">
          <Button onClick={onClose}>I have it</Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
