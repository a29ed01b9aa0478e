import { Anchor } from "@mantine/core";
import { Bytes } from "../ui/Bytes";
import type { Column } from "../ui/DataTable";
import { Labels } from "../ui/Labels";
import { RelativeTime } from "../ui/RelativeTime";
import { DeleteFile } from "./DeleteFile";
import type { StoredFile } from "./queries";

/** The columns of the list. */
export function columnsOf(mayDelete: boolean): Column<StoredFile>[] {
  const columns: Column<StoredFile>[] = [
    { id: "name", title: "Name", width: 280, cell: (file) => <FileLink file={file} /> },
    { id: "bytes", title: "Size", width: 100, align: "right", cell: ({ bytes }) => <Bytes value={bytes} /> },
    { id: "type", title: "Type", width: 170, cell: ({ media_type }) => media_type },
    { id: "labels", title: "Labels", width: 150, cell: ({ labels }) => <Labels labels={labels} /> },
    { id: "owner", title: "Owner", width: 110, cell: ({ owner }) => owner },
    { id: "made", title: "Uploaded", width: 110, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
  ];
  if (!mayDelete) return columns;
  return [
    ...columns,
    { id: "delete", title: "", width: 56, align: "right", cell: (file) => <DeleteFile file={file} /> },
  ];
}

/** Its name, by which it is taken along. */
export function FileLink({ file: { id, name, sha256 } }: { file: StoredFile }) {
  return (
    <Anchor
      href={`/v1/files/${id}/content`}
      download={name}
      fz="sm"
      fw={550}
      title={`${name}, SHA-256 ${sha256}`}
    >
      {name}
    </Anchor>
  );
}
