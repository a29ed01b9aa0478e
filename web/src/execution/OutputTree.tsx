import { ActionIcon, Checkbox, UnstyledButton } from "@mantine/core";
import {
  IconChevronDown,
  IconChevronRight,
  IconDownload,
  IconFile,
  IconFileText,
  IconPhoto,
  IconTable,
} from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { asSeen } from "../session/guest";
import { Bytes } from "../ui/Bytes";
import classes from "./Outputs.module.css";
import { chosenOf, type DirectoryNode, type Output, type Row, rowsOf, toggled } from "./tree";

const ROW_HEIGHT = 34;

interface OutputTreeProps {
  root: DirectoryNode;
  shown: string | undefined;
  onShow: (path: string) => void;
  chosen: ReadonlySet<string>;
  onChoose: (chosen: ReadonlySet<string>) => void;
}

/** Directories and files with their sizes, of which only those in sight are drawn. */
export function OutputTree({ root, shown, onShow, chosen, onChoose }: OutputTreeProps) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => rowsOf(root, closed), [root, closed]);
  const scroller = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  const fold = (path: string) => {
    const after = new Set(closed);
    if (!after.delete(path)) after.add(path);
    setClosed(after);
  };
  return (
    // It scrolls, so keys have to reach it.
    <section ref={scroller} className={classes.tree} tabIndex={0} aria-label="Files">
      <ul style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = rows[index];
          if (!row) return null;
          return (
            <li
              key={row.node.path}
              style={{ transform: `translateY(${start}px)` }}
              data-shown={row.node.path === shown || undefined}
            >
              <TreeRow
                row={row}
                isClosed={closed.has(row.node.path)}
                state={chosenOf(row.node, chosen)}
                isShown={row.node.path === shown}
                onChoose={() => onChoose(toggled(chosen, row.node))}
                onOpen={() => (row.node.kind === "file" ? onShow(row.node.path) : fold(row.node.path))}
              />
            </li>
          );
        })}
      </ul>
    </section>
  );
}

interface TreeRowProps {
  row: Row;
  isClosed: boolean;
  isShown: boolean;
  state: "all" | "some" | "none";
  onChoose: () => void;
  onOpen: () => void;
}

function TreeRow({ row: { node, depth }, isClosed, isShown, state, onChoose, onOpen }: TreeRowProps) {
  const isDirectory = node.kind === "directory";
  const Icon = isDirectory ? (isClosed ? IconChevronRight : IconChevronDown) : iconOf(node.output);
  return (
    <>
      <Checkbox
        size="xs"
        checked={state === "all"}
        indeterminate={state === "some"}
        onChange={onChoose}
        aria-label={`Choose ${node.path}`}
      />
      <UnstyledButton
        className={classes.name}
        style={{ "--depth": depth }}
        onClick={onOpen}
        {...(isDirectory ? { "aria-expanded": !isClosed } : { "aria-current": isShown || undefined })}
        title={node.path}
      >
        <Icon size={15} aria-hidden />
        <span>{isDirectory ? `${node.name}/` : node.name}</span>
      </UnstyledButton>
      <span className={classes.size}>
        <Bytes value={node.bytes} />
      </span>
      {isDirectory ? (
        <span />
      ) : (
        <ActionIcon
          component="a"
          href={asSeen(node.output.links.self)}
          download
          variant="subtle"
          color="gray"
          size="sm"
          aria-label={`Download ${node.path}`}
        >
          <IconDownload size={14} />
        </ActionIcon>
      )}
    </>
  );
}

function iconOf({ media_type }: Output) {
  if (media_type.startsWith("image/")) return IconPhoto;
  if (media_type === "text/csv" || media_type === "text/tab-separated-values") return IconTable;
  return media_type.startsWith("text/") || media_type === "application/json" ? IconFileText : IconFile;
}
