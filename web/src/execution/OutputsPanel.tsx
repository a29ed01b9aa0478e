import { Alert, Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconDownload, IconFolderOff } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { type Execution, hasEnded, type Schemas } from "../api/types";
import { asSeen } from "../session/guest";
import { spellBytes } from "../ui/Bytes";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { ActionButton } from "./ActionButton";
import { OutputPreview } from "./OutputPreview";
import classes from "./Outputs.module.css";
import { OutputTree } from "./OutputTree";
import { outputsQuery } from "./queries";
import { counted } from "./spelling";
import { type Output, selection, treeOf, whyNoZip, zipAddress } from "./tree";

interface OutputsPanelProps {
  record: Execution;
  /** The file that is shown, by its path. */
  path: string | undefined;
  onPath: (path: string) => void;
}

/** The files that it has left: which there are, what is in them, and how to have them. */
export function OutputsPanel({ record, path, onPath }: OutputsPanelProps) {
  const pages = useInfiniteQuery(outputsQuery(record.id));
  const outputs = useMemo(() => pages.data?.pages.flatMap(({ items }) => items) ?? [], [pages.data]);
  const [first] = pages.data?.pages ?? [];
  if (pages.error) return <ProblemView error={pages.error} />;
  if (!first) return <Skeleton h={200} />;
  if (first.expired_at)
    return (
      <EmptyState
        icon={IconFolderOff}
        title="Its outputs were removed"
        text={<RelativeTime at={first.expired_at} />}
      />
    );
  if (first.files === 0)
    return (
      <Stack>
        <Declared declared={first.declared} ended={hasEnded(record.status)} />
        <EmptyState
          icon={IconFolderOff}
          title={hasEnded(record.status) ? "It has left no files" : "No files yet"}
          text="What a program writes into /tailrace/outputs is collected when it ends, however it ends."
        />
      </Stack>
    );
  const shown = outputs.find((each) => each.path === path) ?? outputs[0];
  return (
    <Stack>
      <Declared declared={first.declared} ended />
      <div className={classes.outputs}>
        <Files
          id={record.id}
          outputs={outputs}
          total={first}
          shown={shown}
          onShow={onPath}
          more={pages.hasNextPage ? () => void pages.fetchNextPage() : undefined}
          loading={pages.isFetchingNextPage}
        />
        {shown && <OutputPreview key={shown.path} id={record.id} output={shown} />}
      </div>
    </Stack>
  );
}

interface FilesProps {
  id: string;
  outputs: readonly Output[];
  total: Schemas["OutputList"];
  shown: Output | undefined;
  onShow: (path: string) => void;
  more: (() => void) | undefined;
  loading: boolean;
}

function Files({ id, outputs, total, shown, onShow, more, loading }: FilesProps) {
  const root = useMemo(() => treeOf(outputs), [outputs]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const wanted = selection(root, chosen);
  const bytes = outputs.reduce((sum, each) => sum + (chosen.has(each.path) ? each.bytes : 0), 0);
  return (
    <Stack gap="xs" miw={0}>
      <Text fz="sm" c="dimmed">
        {counted(total.files, "file")}, {spellBytes(total.bytes)}
        {total.partial && "; some may be missing: a limit left them out, or it did not end by itself"}
      </Text>
      <Group gap="xs">
        <Button
          component="a"
          href={asSeen(zipAddress(id, []))}
          download
          size="xs"
          variant="default"
          leftSection={<IconDownload size={14} />}
        >
          All as zip
        </Button>
        <ActionButton
          why={chosen.size === 0 ? "Choose some first." : whyNoZip(wanted)}
          size="xs"
          leftSection={<IconDownload size={14} />}
          onClick={() => location.assign(asSeen(zipAddress(id, wanted)))}
        >
          {chosen.size === 0
            ? "Chosen as zip"
            : `${counted(chosen.size, "chosen file")}, ${spellBytes(bytes)}`}
        </ActionButton>
      </Group>
      <OutputTree root={root} shown={shown?.path} onShow={onShow} chosen={chosen} onChoose={setChosen} />
      {more && (
        <Button variant="subtle" size="compact-sm" onClick={more} loading={loading}>
          {counted(total.files - outputs.length, "more file")}
        </Button>
      )}
    </Stack>
  );
}

/** What it was to leave and did not. */
function Declared({ declared, ended }: { declared: readonly Schemas["DeclaredView"][]; ended: boolean }) {
  const missing = declared.filter(({ required, files }) => required && files === 0);
  if (missing.length === 0) return null;
  const paths = missing.map(({ path, title }) => (
    <li key={path}>
      <code>{path}</code>
      {title && ` (${title})`}
    </li>
  ));
  return (
    <Alert
      variant="default"
      icon={<IconAlertTriangle color={ended ? "var(--status-failed)" : "var(--status-queued)"} />}
      title={ended ? "It has not left what it had to" : "It has to leave"}
    >
      <ul className={classes.declared}>{paths}</ul>
    </Alert>
  );
}
