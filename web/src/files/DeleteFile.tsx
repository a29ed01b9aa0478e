import { ActionIcon, Tooltip } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { api } from "../api/client";
import { ask } from "../ui/ConfirmButton";
import { FILES, type StoredFile } from "./queries";

/** Deletes a file, after a question. */
export function DeleteFile({ file: { id, name } }: { file: StoredFile }) {
  const client = useQueryClient();
  const label = `Delete ${name}`;
  const remove = async () => {
    await api.DELETE("/v1/files/{id}", { params: { path: { id } } });
    await client.invalidateQueries({ queryKey: FILES });
  };
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={label}
        onClick={() =>
          ask({
            question: `Delete ${name}?`,
            consequence: "What had it as input keeps its record, and cannot be run again with it.",
            confirm: "Delete it",
            onConfirm: remove,
          })
        }
      >
        <IconTrash size={16} />
      </ActionIcon>
    </Tooltip>
  );
}
