import { Checkbox } from "@mantine/core";
import { useMay } from "../session/session";
import { useBound } from "./form";

/** Whether its directories stay on the worker's host: for administrators, and for who takes that away. */
export function WorkspaceField() {
  const { id, value, error, set } = useBound("keep_workspace");
  const isAdmin = useMay("admin");
  if (!isAdmin && value === undefined && !error) return null;
  return (
    <Checkbox
      id={id}
      label="Leave its workspace on the worker's host"
      description="For an administrator to look at"
      error={error}
      checked={value === true}
      onChange={({ currentTarget }) => set(currentTarget.checked || undefined)}
    />
  );
}
