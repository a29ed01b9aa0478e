import { Button, Checkbox, Group, List, Stack, Text } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import { useMe } from "../session/session";
import { Dialog } from "../ui/Dialog";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { descendantsOf, endsWith, stateOf, type Token, titleOf, toldOf } from "./granting";
import { TOKENS, tokensQuery } from "./queries";

const NAMED = 8;

/** Revoke a token, and what was made with it if that is wanted; says beforehand what is known to go. */
export function RevokeDialog({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient();
  const { token_id } = useMe();
  const known = useInfiniteQuery(tokensQuery({}));
  const tokens = known.data?.pages.flatMap(({ items }) => items) ?? [];
  const isSession = token.kind === "session";
  const isOver = stateOf(token, Date.now()) !== "valid";
  const [isDeep, setDeep] = useState(isOver);
  const revoking = useMutation({
    mutationFn: () => revoke(token.id, isDeep),
    onSuccess: async (ended) => {
      say(
        ended ? toldOf(ended) : isSession ? "It has ended." : "It was revoked, with its sessions.",
        token.name,
      );
      onClose();
      await client.invalidateQueries({ queryKey: TOKENS });
    },
  });
  const going = descendantsOf(token.id, tokens);
  return (
    <Dialog
      onClose={onClose}
      title={isSession ? `End ${titleOf(token)}?` : `Revoke the token ${token.name}?`}
    >
      <Stack gap="sm">
        <Text fz="sm">
          {isOver
            ? "It is over already. What was made with it may still go on."
            : isSession
              ? "That browser is logged out at once. The token by which it was logged in stays."
              : "Whoever comes with it is refused from now on, also where something is open by it."}
        </Text>
        <Checkbox
          label="Also all that was made with it"
          description="Tokens, sessions and shares are revoked; schedules, triggers, webhooks and notifications switched off. For after a theft."
          checked={isDeep}
          disabled={isOver}
          onChange={({ currentTarget: { checked } }) => setDeep(checked)}
        />
        {isDeep && <Going tokens={going} />}
        {endsWith(token_id, token.id, tokens, isDeep) && (
          <Text fz="sm" fw={600} c="var(--status-failed)">
            You are logged in by it: this page asks you to log in again.
          </Text>
        )}
        <ProblemView error={revoking.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose} data-autofocus>
            Cancel
          </Button>
          <Button color="red.8" loading={revoking.isPending} onClick={() => revoking.mutate()}>
            {isDeep ? "Revoke all of it" : isSession ? "End it" : "Revoke"}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}

/** The tokens that go with it, as far as they are known here. */
function Going({ tokens }: { tokens: readonly Token[] }) {
  if (tokens.length === 0)
    return (
      <Text fz="sm" c="dimmed">
        No token is known that was made with it.
      </Text>
    );
  const named = tokens.filter(({ kind }) => kind !== "session");
  const sessions = tokens.length - named.length;
  return (
    <div>
      <Text fz="sm">What goes, too, as far as it is known here:</Text>
      <List fz="sm">
        {named.slice(0, NAMED).map(({ id, name, owner }) => (
          <List.Item key={id}>
            {name}, of {owner}
          </List.Item>
        ))}
        {named.length > NAMED && <List.Item>{named.length - NAMED} more tokens</List.Item>}
        {sessions > 0 && <List.Item>{sessions === 1 ? "1 session" : `${sessions} sessions`}</List.Item>}
      </List>
    </div>
  );
}

/** What has ended; null where the API says only that it has. */
async function revoke(id: string, descendants: boolean): Promise<Schemas["RevokedView"] | null> {
  const answer = await ask(
    api.DELETE("/v1/tokens/{id}", { params: { path: { id }, query: { descendants } } }),
  );
  return answer ?? null;
}
