import { Button, Checkbox, Group, Select, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Scope } from "../api/types";
import { useMay, useMe } from "../session/session";
import { Dialog } from "../ui/Dialog";
import { ProblemView } from "../ui/ProblemView";
import { SecretOnce } from "../ui/SecretOnce";
import { givable, ROLES, SCOPES, termsFor } from "./granting";
import { TOKENS } from "./queries";

const LONGEST = "longest";
const USUAL = 30 * 86_400;

/** Make a token, and show it once. */
export function NewTokenDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const me = useMe();
  const isAdmin = useMay("admin");
  const allowed = givable(me.scopes);
  const [name, setName] = useState("");
  const [owner, setOwner] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(() =>
    ROLES.operator.filter((scope) => allowed.includes(scope)),
  );
  const [terms] = useState(() => termsFor(me.expires_at, isAdmin, Date.now()));
  const [term, setTerm] = useState(terms.some(({ seconds }) => seconds === USUAL) ? String(USUAL) : LONGEST);
  const making = useMutation({
    mutationFn: () =>
      ask(
        api.POST("/v1/tokens", {
          body: {
            name: name.trim(),
            scopes,
            ...(owner.trim() && { owner: owner.trim() }),
            ...(term !== LONGEST && { expires_in: Number(term) }),
          },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: TOKENS }),
  });
  const wrong = making.error ? asProblem(making.error).errors : [];
  const errorOf = (field: string) => wrong.find((each) => each.field === field)?.message;
  if (making.data) return <Made name={making.data.name} token={making.data.token} onClose={onClose} />;
  return (
    <Dialog onClose={onClose} title="New token">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          making.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="What it is for"
            placeholder="nightly jobs"
            required
            data-autofocus
            maxLength={200}
            value={name}
            error={errorOf("name")}
            onChange={({ currentTarget: { value } }) => setName(value)}
          />
          {isAdmin && (
            <TextInput
              label="Whose"
              placeholder={me.owner}
              description={`Left empty: yours, ${me.owner}.`}
              maxLength={255}
              value={owner}
              error={errorOf("owner")}
              onChange={({ currentTarget: { value } }) => setOwner(value)}
            />
          )}
          <Checkbox.Group
            label="What it may do"
            value={scopes}
            error={errorOf("scopes")}
            onChange={(chosen) => setScopes(allowed.filter((scope) => chosen.includes(scope)))}
          >
            <Stack gap={6} mt={4}>
              {allowed.map((scope) => (
                <Checkbox key={scope} value={scope} label={scope} description={SCOPES[scope]} />
              ))}
            </Stack>
          </Checkbox.Group>
          <Select
            label="It is valid for"
            description={
              isAdmin
                ? undefined
                : "No longer than what you came in with: a program's own token can give more."
            }
            allowDeselect={false}
            value={term}
            error={errorOf("expires_in")}
            data={[
              ...terms.map(({ label, seconds }) => ({ label, value: String(seconds) })),
              {
                label: isAdmin || !me.expires_at ? "Ever" : "As long as you are logged in here",
                value: LONGEST,
              },
            ]}
            onChange={(value) => setTerm(value ?? LONGEST)}
          />
          <ProblemView error={making.error} shownFields={["name", "owner", "scopes", "expires_in"]} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={making.isPending} disabled={scopes.length === 0}>
              Make it
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

function Made({ name, token, onClose }: { name: string; token: string; onClose: () => void }) {
  return (
    <Dialog onClose={onClose} title={`The token ${name}`} closeOnClickOutside={false} closeOnEscape={false}>
      <Stack gap="sm">
        <SecretOnce title="Take it along" value={token}>
          Send it as <code>Authorization: Bearer …</code>, or keep it in <code>TAILRACE_TOKEN</code>.
        </SecretOnce>
        <Group justify="flex-end">
          <Button onClick={onClose}>I have it</Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
