import { Button, Group, List, Skeleton, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "../api/client";
import { useMe } from "../session/session";
import { Dialog } from "../ui/Dialog";
import { TextLink } from "../ui/IdLink";
import { Note } from "../ui/Note";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { SECRETS, type Secret, type Use, usesQuery } from "./queries";

/** Delete a secret, after what will fail without it was named. */
export function DeleteSecretDialog({ secret: { name }, onClose }: { secret: Secret; onClose: () => void }) {
  const client = useQueryClient();
  const { owner } = useMe();
  const uses = useQuery(usesQuery(name, owner));
  const deleting = useMutation({
    mutationFn: () => api.DELETE("/v1/secrets/{name}", { params: { path: { name } } }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: SECRETS });
      say(`${name} is deleted.`);
      onClose();
    },
  });
  return (
    <Dialog onClose={onClose} title={`Delete ${name}?`}>
      <Stack gap="sm">
        <Text fz="sm">
          What was submitted with it keeps its copy until it ends. Whatever names it from then on is refused:
          submissions, reruns, and methods that have it.
        </Text>
        <ProblemView error={uses.error} />
        {uses.isPending && <Skeleton h={60} radius="md" />}
        {uses.data && <Uses uses={uses.data} />}
        <ProblemView error={deleting.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" data-autofocus onClick={onClose}>
            No
          </Button>
          <Button color="red.8" loading={deleting.isPending} onClick={() => deleting.mutate()}>
            Delete it
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}

function Uses({ uses }: { uses: readonly Use[] }) {
  if (uses.length === 0)
    return (
      <Text fz="sm" c="dimmed">
        No schedule and no trigger of yours names it.
      </Text>
    );
  return (
    <Note title="These fail without it">
      <List fz="sm">
        {uses.map(({ kind, id, name }) => (
          <List.Item key={id}>
            <TextLink to={`/${kind}s/$id`} params={{ id }} fz="sm">
              {name}
            </TextLink>
            , a {kind}
          </List.Item>
        ))}
      </List>
    </Note>
  );
}
