import { ActionIcon, Menu } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { modals } from "@mantine/modals";
import {
  IconArchive,
  IconArchiveOff,
  IconDots,
  IconLink,
  IconPackageExport,
  IconPencil,
  IconShare,
  IconTerminal2,
  IconTrash,
} from "@tabler/icons-react";
import { useRouter } from "@tanstack/react-router";
import { type Execution, hasEnded, type Schemas } from "../api/types";
import { useMe } from "../session/session";
import { say } from "../ui/notify";
import { ActionItem } from "./ActionItem";
import { DeleteQuestion } from "./DeleteQuestion";
import { Description } from "./Description";
import { archive, restore, useOperations } from "./operations";
import { missing, whyNot } from "./possible";
import { Shares } from "./Shares";

const BUNDLES: [Schemas["Contents"], string][] = [
  ["all", "Bundle of everything"],
  ["outputs", "Bundle with its outputs"],
  ["record", "Bundle of its record"],
];

/** What is done less often. */
export function MoreControl({ record }: { record: Execution }) {
  const { scopes } = useMe();
  const clipboard = useClipboard();
  const { mutate: ask } = useOperations(record.id);
  const router = useRouter();
  const { id } = record;
  // Dialogs are outside of the router.
  const leave = () => router.navigate({ to: "/executions" });
  const copy = (text: string, what: string) => {
    clipboard.copy(text);
    say(`${what} is on the clipboard.`);
  };
  const put = (kept: Schemas["Archive"]) => {
    const archived = { archived_at: new Date().toISOString() };
    ask({ call: () => archive(id, kept), expected: archived, said: "It is in the archive." });
  };
  const whyNoBundle =
    missing("submit", scopes) ?? (hasEnded(record.status) ? null : "Not before it has ended.");
  return (
    <Menu position="bottom-end" withInitialFocusPlaceholder={false} width={320}>
      <Menu.Target>
        <ActionIcon variant="default" size={36} aria-label="More actions">
          <IconDots size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown mah="70vh" style={{ overflowY: "auto" }}>
        <ActionItem
          icon={IconPencil}
          label="Name, note and labels…"
          why={whyNot("describe", record, scopes)}
          onClick={() =>
            modals.open({ title: "Name, note and labels", children: <Description record={record} /> })
          }
        />
        <ActionItem
          icon={IconLink}
          label="Copy its address"
          onClick={() => copy(addressOf(id), "Its address")}
        />
        <ActionItem
          icon={IconTerminal2}
          label="Copy a command"
          about={`tailrace logs -f ${id.slice(0, 13)}…`}
          onClick={() => copy(`tailrace logs -f ${id}`, "The command")}
        />
        <ActionItem
          icon={IconShare}
          label="Share…"
          about="Show it to somebody who has no token."
          why={missing("submit", scopes)}
          onClick={() => modals.open({ title: "Share it", size: "lg", children: <Shares record={record} /> })}
        />
        <Menu.Divider />
        <ActionItem
          icon={IconArchive}
          label="Archive"
          about={ARCHIVED[record.archive]}
          why={whyNot("archive", record, scopes)}
          onClick={() => put(record.archive)}
        />
        <ActionItem
          icon={IconArchiveOff}
          label="Restore"
          about="It is listed again, and expires again."
          why={whyNot("restore", record, scopes)}
          onClick={() =>
            ask({ call: () => restore(id), expected: { archived_at: null }, said: "It is listed again." })
          }
        />
        <Menu.Divider />
        {BUNDLES.map(([contents, label]) => (
          <ActionItem
            key={contents}
            icon={IconPackageExport}
            label={label}
            why={whyNoBundle}
            href={`/v1/executions/${id}/bundle?contents=${contents}`}
          />
        ))}
        <Menu.Divider />
        <ActionItem
          icon={IconTrash}
          label="Delete…"
          about="What goes with it is told first."
          why={whyNot("delete", record, scopes)}
          onClick={() =>
            modals.open({
              title: "Delete it, for good?",
              children: <DeleteQuestion id={id} onGone={leave} />,
            })
          }
        />
      </Menu.Dropdown>
    </Menu>
  );
}

const ARCHIVED: Record<Schemas["Archive"], string> = {
  all: "It is listed no more, and all of it is kept.",
  outputs: "Its record and outputs are kept; log and checkpoint go now, as it was submitted.",
  record: "Only its record is kept; all else goes now, as it was submitted.",
};

function addressOf(id: string): string {
  return new URL(`/executions/${id}`, location.href).href;
}
