import { Button, Group, Stack } from "@mantine/core";
import type { Schemas } from "../api/types";
import { Dialog } from "../ui/Dialog";
import { SecretOnce } from "../ui/SecretOnce";
import { PostingExample } from "./PostingExample";

interface TriggerOnceProps {
  made: Schemas["NewTriggerView"];
  onClose: () => void;
}

/** What senders need and nobody sees again: the address with its token, or the secret; and how to post with it. */
export function TriggerOnce({ made, onClose }: TriggerOnceProps) {
  const address = location.origin + made.address;
  return (
    <Dialog
      onClose={onClose}
      title={`The trigger ${made.name}`}
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      <Stack gap="sm">
        {made.secret ? (
          <SecretOnce title="The secret to sign with" value={made.secret}>
            The address is <code>{address}</code> and no secret.
            {made.secret_before_until && " For a day what is signed with the one before is taken, too."}
          </SecretOnce>
        ) : (
          <SecretOnce title="The address to post to" value={address}>
            Whoever knows it may post.
          </SecretOnce>
        )}
        <PostingExample trigger={made} address={address} secret={made.secret} />
        <Group justify="flex-end">
          <Button onClick={onClose}>I have it</Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
