import { ActionIcon, Menu, Tooltip } from "@mantine/core";
import { IconCopy, IconDownload, IconFileText, IconFileZip } from "@tabler/icons-react";
import { asSeen } from "../session/guest";
import { copyRows } from "./copying";
import { downloadUrl, isEverything, parametersOf } from "./query";
import type { LogStore } from "./store";

const PROGRAM = { streams: "stdout,stderr" };
/** As people read it: colours are of no use in an editor. */
const TEXT = { format: "text", ansi: "strip" } as const;

/** Takes the log away: as a file by the API's own address, or on the clipboard. */
export function TakeMenu({ store }: { store: LogStore }) {
  const { execution, query, rows } = store;
  const shown = parametersOf(query);
  return (
    <Menu position="bottom-end" withArrow>
      <Menu.Target>
        <Tooltip label="Download and copy">
          <ActionIcon variant="subtle" color="gray" aria-label="Download and copy">
            <IconDownload size={18} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Download</Menu.Label>
        <File href={downloadUrl(execution, { ...PROGRAM, ...TEXT })} icon={IconFileText}>
          Output as text
        </File>
        <File
          href={downloadUrl(execution, { ...TEXT, timestamps: true, streams: "stdout,stderr,system" })}
          icon={IconFileText}
        >
          All with times
        </File>
        <File href={downloadUrl(execution, { ...PROGRAM, ...TEXT, compress: "gzip" })} icon={IconFileZip}>
          Output as gzip
        </File>
        <File href={downloadUrl(execution, { ...PROGRAM, format: "raw" })} icon={IconDownload}>
          The exact bytes
        </File>
        {!isEverything(query) && (
          <File href={downloadUrl(execution, { ...shown, ...TEXT })} icon={IconFileText}>
            Lines as filtered
          </File>
        )}
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconCopy size={16} />}
          disabled={rows.length === 0}
          onClick={() => copyRows(rows)}
        >
          Copy all lines that are loaded
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function File({ href, icon: Icon, children }: { href: string; icon: typeof IconDownload; children: string }) {
  return (
    <Menu.Item component="a" href={asSeen(href)} download leftSection={<Icon size={16} />}>
      {children}
    </Menu.Item>
  );
}
