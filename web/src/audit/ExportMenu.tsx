import { Button, Menu } from "@mantine/core";
import { IconChevronDown, IconDownload } from "@tabler/icons-react";
import { type AuditSearch, exportAddress } from "./search";

/** All that fits the filters, as one file. */
export function ExportMenu({ search }: { search: AuditSearch }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          variant="default"
          leftSection={<IconDownload size={16} />}
          rightSection={<IconChevronDown size={16} />}
        >
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={exportAddress(search, "csv")} download>
          CSV, for a spreadsheet
        </Menu.Item>
        <Menu.Item component="a" href={exportAddress(search, "ndjson")} download>
          NDJSON, an object a line
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
