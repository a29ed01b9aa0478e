import { ActionIcon, Menu } from "@mantine/core";
import { IconDotsVertical, IconEdit, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import type { Pool } from "../api/types";
import { ask as confirm } from "../ui/ConfirmButton";
import { DeleteItem } from "../ui/MoreMenu";
import { say } from "../ui/notify";
import { PoolForm } from "./PoolForm";
import { POOLS } from "./queries";

/** Change, pause, resume and delete a pool. */
export function PoolMenu({ pool }: { pool: Pool }) {
  const client = useQueryClient();
  const [isEditing, setEditing] = useState(false);
  const { name, max_running } = pool;
  const params = { path: { name } };
  const pause = async () => {
    await ask(api.PATCH("/v1/pools/{name}", { params, body: { max_running: 0 } }));
    await client.invalidateQueries({ queryKey: POOLS });
    say(`Nothing more of the pool ${name} is started.`);
  };
  const remove = async () => {
    await api.DELETE("/v1/pools/{name}", { params });
    await client.invalidateQueries({ queryKey: POOLS });
    say(`The pool ${name} was deleted.`);
  };
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`What can be done with the pool ${name}`}>
            <IconDotsVertical size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconEdit size={16} />} onClick={() => setEditing(true)}>
            Change
          </Menu.Item>
          {max_running === 0 ? (
            <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => setEditing(true)}>
              Resume
            </Menu.Item>
          ) : (
            <Menu.Item
              leftSection={<IconPlayerPause size={16} />}
              onClick={() =>
                confirm({
                  question: `Pause the pool ${name}?`,
                  consequence: `Nothing more of it is started; what is under way goes on. ${
                    max_running === null
                      ? "Its limit becomes 0."
                      : `Its limit becomes 0 instead of ${max_running}: you are asked for it again to resume.`
                  }`,
                  confirm: "Pause",
                  onConfirm: pause,
                })
              }
            >
              Pause
            </Menu.Item>
          )}
          <DeleteItem
            question={`Delete the pool ${name}?`}
            consequence="Only a pool that nothing and nobody uses can be deleted."
            onConfirm={remove}
          />
        </Menu.Dropdown>
      </Menu>
      {isEditing && <PoolForm pool={pool} onClose={() => setEditing(false)} />}
    </>
  );
}
