import { TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import { say } from "../ui/notify";
import { PoolDialog } from "./PoolDialog";
import { POOLS } from "./queries";

const NONE = { description: null, max_running: null, max_running_per_owner: null };

/** Make a pool. */
export function NewPoolForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  return (
    <PoolDialog
      title="New pool"
      confirm="Make it"
      before={NONE}
      onClose={onClose}
      onSave={async (body) => {
        await ask(api.POST("/v1/pools", { body: { ...body, name } }));
        await client.invalidateQueries({ queryKey: POOLS });
        say(`The pool ${name} was made.`);
      }}
    >
      {(error) => (
        <TextInput
          label="Name"
          description="What submissions call it, and workers (TAILRACE_POOL)."
          required
          data-autofocus
          maxLength={63}
          value={name}
          error={error}
          onChange={({ currentTarget: { value } }) => setName(value)}
        />
      )}
    </PoolDialog>
  );
}
