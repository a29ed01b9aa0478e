import { ActionIcon, Tooltip } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import type { Column } from "../ui/DataTable";
import { RelativeTime } from "../ui/RelativeTime";
import type { Token } from "./granting";
import { stateOf, titleOf } from "./granting";
import { Expiry, ScopeList, TokenName } from "./TokenParts";

/** The columns of the list; `names` are of tokens by their ids, `onRevoke` asks whether one is to be revoked. */
export function columnsOf(
  names: ReadonlyMap<string, string>,
  onRevoke: (token: Token) => void,
): Column<Token>[] {
  return [
    { id: "name", title: "Name", width: 250, cell: (token) => <TokenName token={token} names={names} /> },
    { id: "owner", title: "Owner", width: 120, cell: ({ owner }) => owner },
    { id: "scopes", title: "May", width: 230, cell: (token) => <ScopeList token={token} /> },
    { id: "ends", title: "Ends", width: 120, cell: (token) => <Expiry token={token} /> },
    {
      id: "used",
      title: "Last used",
      width: 110,
      cell: ({ last_used_at }) => <RelativeTime at={last_used_at} />,
    },
    { id: "made", title: "Made", width: 110, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
    {
      id: "revoke",
      title: "",
      width: 56,
      align: "right",
      cell: (token) => <RevokeButton token={token} onRevoke={() => onRevoke(token)} />,
    },
  ];
}

/** Revokes a token, after a question. */
export function RevokeButton({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const state = stateOf(token, Date.now());
  // What was made with one that is over may still go on.
  const verb = token.kind === "session" ? "End" : "Revoke";
  const label = state === "valid" ? `${verb} ${titleOf(token)}` : `End what was made with ${titleOf(token)}`;
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={onRevoke}>
        <IconTrash size={16} />
      </ActionIcon>
    </Tooltip>
  );
}
