import { Anchor, Button, Group, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, useSyncExternalStore } from "react";
import { api, ask } from "../api/client";
import { reconnect } from "../live/live";
import { Dialog } from "../ui/Dialog";
import { ProblemView } from "../ui/ProblemView";
import { hasSessionEnded, leave, sessionBegun, subscribe } from "./login";
import { meQuery, useMe } from "./session";

/** Asks for a token when the session has ended, above the page, which keeps all that was typed in it. */
export function LoginAgain() {
  const isOver = useSyncExternalStore(subscribe, hasSessionEnded);
  return isOver ? <Question /> : null;
}

function Question() {
  const { owner } = useMe();
  const client = useQueryClient();
  const [token, setToken] = useState("");
  const login = useMutation({
    mutationFn: async () => {
      await ask(api.POST("/v1/session", { headers: { Authorization: `Bearer ${token.trim()}` } }));
      return ask(api.GET("/v1/me"));
    },
    onSuccess: (me) => {
      // What is shown here is not for somebody else.
      if (me.owner !== owner) return location.reload();
      client.setQueryData(meQuery.queryKey, me);
      sessionBegun();
      reconnect();
      return client.invalidateQueries();
    },
    onError: () => setToken(""),
  });
  return (
    <Dialog
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title="Your session has ended"
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          login.mutate();
        }}
      >
        <Stack gap="sm">
          <Text fz="sm">Log in again as {owner}, and go on: what you have typed here is kept.</Text>
          <PasswordInput
            label="Token"
            data-autofocus
            autoComplete="off"
            value={token}
            onChange={({ currentTarget: { value } }) => setToken(value)}
          />
          <ProblemView error={login.error} />
          <Group justify="space-between">
            <Anchor component="button" type="button" fz="sm" onClick={leave}>
              To the page for it
            </Anchor>
            <Button type="submit" loading={login.isPending} disabled={!token.trim()}>
              Log in
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
