import { ActionIcon, Button, Group, Menu, Text, TextInput } from "@mantine/core";
import { IconBookmark, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { type ListSearch, readSearch, type Shelf } from "./search";
import { useViews } from "./views";

interface ViewsMenuProps {
  shelf: Shelf;
  search: ListSearch;
  onChange: (search: ListSearch) => void;
}

/** Views that were saved in this browser, and a way to save this one. */
export function ViewsMenu({ shelf, search, onChange }: ViewsMenuProps) {
  const { views, save, forget } = useViews(shelf);
  const [name, setName] = useState("");
  return (
    <Menu width={280} position="bottom-end" withArrow closeOnItemClick>
      <Menu.Target>
        <Button variant="default" leftSection={<IconBookmark size={16} />}>
          Views
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {views.length === 0 && (
          <Text fz="sm" c="dimmed" px="sm" py={6}>
            None is saved yet. A view keeps filters and order, in this browser.
          </Text>
        )}
        {views.map((view) => (
          <Group key={view.name} gap={0} wrap="nowrap">
            <Menu.Item flex={1} onClick={() => onChange(readSearch({ ...view.search }))}>
              {view.name}
            </Menu.Item>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={`Forget ${view.name}`}
              onClick={() => forget(view.name)}
            >
              <IconTrash size={15} />
            </ActionIcon>
          </Group>
        ))}
        <Menu.Divider />
        <form
          style={{ display: "flex", gap: 8, padding: 6 }}
          onSubmit={(event) => {
            event.preventDefault();
            if (!name.trim()) return;
            save({ name: name.trim(), search });
            setName("");
          }}
        >
          <TextInput
            flex={1}
            size="xs"
            aria-label="Name of this view"
            placeholder="Name of this view"
            value={name}
            maxLength={60}
            onChange={({ currentTarget }) => setName(currentTarget.value)}
            onKeyDown={(event) => event.key !== "Escape" && event.stopPropagation()}
          />
          <Button type="submit" size="xs">
            Save
          </Button>
        </form>
      </Menu.Dropdown>
    </Menu>
  );
}
