import { Button, Group, Stack, Text } from "@mantine/core";
import { Dialog } from "../ui/Dialog";
import { Fact, FactList } from "../ui/Fact";
import { inFull } from "../ui/time";
import { Outcome } from "./columns";
import { ObjectLink } from "./ObjectLink";
import type { Entry } from "./queries";
import { type AuditSearch, changed } from "./search";
import { spellAction } from "./spelling";

interface EntryDialogProps {
  entry: Entry;
  search: AuditSearch;
  onNarrow: (search: AuditSearch) => void;
  onClose: () => void;
}

/** All that is on record of one request, and ways to what belongs with it. */
export function EntryDialog({ entry, search, onNarrow, onClose }: EntryDialogProps) {
  const { action, object, owner, actor, token_id, token_name, address, request_id, status, at } = entry;
  const ways: [string, AuditSearch][] = [
    [`All by ${actor}`, changed(search, { actor })],
    ...(token_id
      ? [["All by this token", changed(search, { token: token_id })] as [string, AuditSearch]]
      : []),
    ...(object ? [["All of this object", changed(search, { object })] as [string, AuditSearch]] : []),
  ];
  return (
    <Dialog onClose={onClose} title={spellAction(action)} size="lg">
      <Stack gap="md">
        <FactList>
          <Fact name="When">
            <time dateTime={at}>{inFull(at)}</time>
          </Fact>
          <Fact name="Outcome">
            <Outcome entry={entry} /> with {status}
          </Fact>
          <Fact name="Who asked">{actor}</Fact>
          <Fact name="By token">
            {token_name ?? (token_id ? "one without a name" : "none: it was done on the host")}
          </Fact>
          <Fact name="From">{address ?? "–"}</Fact>
          <Fact name="Operation">
            <code>{action}</code>
          </Fact>
          <Fact name="Of what">
            <ObjectLink object={object} />
          </Fact>
          <Fact name="Whose that is">{owner ?? "nobody's"}</Fact>
          <Fact name="Request">
            <code>{request_id ?? "–"}</code>
          </Fact>
        </FactList>
        <Text fz="sm" c="dimmed">
          Nothing of what was sent is kept. The API's own log has more of this request, by its id.
        </Text>
        <Group gap="xs">
          {ways.map(([label, next]) => (
            <Button key={label} size="xs" variant="default" onClick={() => onNarrow(next)}>
              {label}
            </Button>
          ))}
        </Group>
      </Stack>
    </Dialog>
  );
}
