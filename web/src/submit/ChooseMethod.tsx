import { Select, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { methodsQuery } from "../methods/queries";

/** One of the methods that one may see, by words of its name and description. */
export function ChooseMethod({ value, onChange }: { value: string; onChange(name: string): void }) {
  const [typed, setTyped] = useState(value);
  const [q] = useDebouncedValue(typed === value ? "" : typed.trim(), 250);
  const methods = useQuery({ ...methodsQuery(q ? { q } : {}), placeholderData: keepPreviousData });
  const items = methods.data?.items ?? [];
  const isListed = items.some(({ name }) => name === value);
  return (
    <Select
      label="Method"
      placeholder="Which one"
      data={[...(value && !isListed ? [value] : []), ...items.map(({ name }) => name)]}
      value={value || null}
      searchable
      searchValue={typed}
      onSearchChange={setTyped}
      filter={({ options }) => options}
      allowDeselect={false}
      nothingFoundMessage={methods.isPending ? "Looking …" : "There is none of these words."}
      renderOption={({ option }) => {
        const title = items.find(({ name }) => name === option.value)?.title;
        return (
          <div>
            <div>{option.label}</div>
            {title && (
              <Text fz="xs" c="dimmed">
                {title}
              </Text>
            )}
          </div>
        );
      }}
      onChange={(name) => name && onChange(name)}
    />
  );
}
