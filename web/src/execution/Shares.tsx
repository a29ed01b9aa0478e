import { ActionIcon, Button, Group, Select, Stack, Table, Text, TextInput, Tooltip } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import type { Execution, Schemas } from "../api/types";
import { showProblem } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { sharesQuery } from "./queries";
import { ShareLink } from "./ShareLink";

const DAYS = [
  { value: "3600", label: "an hour" },
  { value: "86400", label: "a day" },
  { value: "604800", label: "a week" },
  { value: "2592000", label: "30 days" },
];

/** Links that show this execution to whoever has them: make one, see which there are, end them. */
export function Shares({ record: { id } }: { record: Execution }) {
  const client = useQueryClient();
  const shares = useQuery(sharesQuery(id));
  const refresh = () => client.invalidateQueries({ queryKey: sharesQuery(id).queryKey });
  const [seconds, setSeconds] = useState<string | null>("604800");
  const [note, setNote] = useState("");
  const make = useMutation({
    mutationFn: () =>
      ask(
        api.POST("/v1/executions/{id}/shares", {
          params: { path: { id } },
          body: { expires_in: Number(seconds), note: note || null },
        }),
      ),
    onSuccess: refresh,
  });
  const revoke = useMutation({
    mutationFn: (share: string) =>
      ask(api.DELETE("/v1/executions/{id}/shares/{share}", { params: { path: { id, share } } })),
    onSuccess: refresh,
    onError: showProblem,
  });
  return (
    <Stack gap="sm">
      <Text fz="sm">
        Whoever has the link sees this execution, without being logged in: its page, log and outputs, live,
        and nothing else. Nothing can be changed by it. Treat it like a password.
      </Text>
      <Group align="flex-end" gap="xs">
        <Select label="For" data={DAYS} value={seconds} onChange={setSeconds} allowDeselect={false} w={110} />
        <TextInput
          label="Note"
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
          flex="1 1 10rem"
        />
        <Button
          variant={make.data ? "default" : "filled"}
          onClick={() => make.mutate()}
          loading={make.isPending}
        >
          Make a link
        </Button>
      </Group>
      <ProblemView error={make.error ?? shares.error} />
      {make.data && <ShareLink share={make.data} />}
      <ShareTable shares={shares.data ?? []} onRevoke={(share) => revoke.mutate(share)} />
    </Stack>
  );
}

interface ShareTableProps {
  shares: readonly Schemas["ShareView"][];
  onRevoke: (share: string) => void;
}

function ShareTable({ shares, onRevoke }: ShareTableProps) {
  const valid = shares.filter(
    ({ revoked_at, expires_at }) => revoked_at === null && Date.parse(expires_at) > Date.now(),
  );
  if (valid.length === 0) return null;
  return (
    <Table fz="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">Made</Table.Th>
          <Table.Th scope="col">Used</Table.Th>
          <Table.Th scope="col">Until</Table.Th>
          <Table.Th scope="col">Note</Table.Th>
          <Table.Td />
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {valid.map(({ id, note, created_at, last_used_at, expires_at }) => (
          <Table.Tr key={id}>
            <Table.Td>
              <RelativeTime at={created_at} />
            </Table.Td>
            <Table.Td>{last_used_at ? <RelativeTime at={last_used_at} /> : "not yet"}</Table.Td>
            <Table.Td>
              <RelativeTime at={expires_at} />
            </Table.Td>
            <Table.Td>{note ?? "–"}</Table.Td>
            <Table.Td ta="right">
              <Tooltip label="Show it there no longer">
                <ActionIcon
                  variant="subtle"
                  color="red"
                  aria-label="Show it there no longer"
                  onClick={() => onRevoke(id)}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              </Tooltip>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
