import { Select, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import { spellBytes } from "../ui/Bytes";
import { ProblemView } from "../ui/ProblemView";
import { distance } from "../ui/time";

interface ChooseFileProps {
  label: string;
  onChoose(file: Schemas["FileView"]): void;
}

/** One of the files that were uploaded before, by the beginning of its name. */
export function ChooseFile({ label, onChoose }: ChooseFileProps) {
  const [typed, setTyped] = useState("");
  const [name] = useDebouncedValue(typed.trim(), 250);
  const files = useQuery({
    queryKey: ["files", name],
    queryFn: ({ signal }) =>
      ask(api.GET("/v1/files", { params: { query: { limit: 50, ...(name ? { name } : {}) } }, signal })),
    placeholderData: keepPreviousData,
  });
  const items = files.data?.items ?? [];
  if (files.isError) return <ProblemView error={files.error} />;
  return (
    <Select
      mt={8}
      aria-label={`Files uploaded before, for ${label}`}
      placeholder="The beginning of its name"
      data={items.map((file) => ({ value: file.id, label: file.name }))}
      searchable
      searchValue={typed}
      onSearchChange={setTyped}
      filter={({ options }) => options}
      nothingFoundMessage={files.isPending ? "Looking …" : "There is none that begins so."}
      value={null}
      defaultDropdownOpened
      renderOption={({ option }) => {
        const file = items.find(({ id }) => id === option.value);
        return (
          <div>
            <div>{option.label}</div>
            {file && (
              <Text fz="xs" c="dimmed">
                {spellBytes(file.bytes)}, {distance(Date.parse(file.created_at), Date.now())}
              </Text>
            )}
          </div>
        );
      }}
      onChange={(id) => {
        const file = items.find((each) => each.id === id);
        if (file) onChoose(file);
      }}
    />
  );
}
