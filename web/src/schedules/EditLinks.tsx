import { Group } from "@mantine/core";
import { IconForms } from "@tabler/icons-react";
import { useMay } from "../session/session";
import { prefillOf } from "../submit/prefill";
import { ButtonLink } from "../ui/ButtonLink";
import type { Schedule } from "./queries";

/** Ways to the form for submitting, with what a schedule submits, as far as it can show that. */
export function EditLinks({ schedule: { id, targets } }: { schedule: Schedule }) {
  const maySubmit = useMay("submit");
  if (!maySubmit) return null;
  return (
    <Group gap="xs">
      {targets.map((target, index) => {
        const label = targets.length === 1 ? "Edit it in the form" : `Edit ${index + 1} in the form`;
        if (!prefillOf(target)) return null;
        return (
          <ButtonLink
            key={label}
            size="compact-md"
            variant="default"
            to="/submit"
            search={{ schedule: id, target: index }}
            leftSection={<IconForms size={16} />}
          >
            {label}
          </ButtonLink>
        );
      })}
    </Group>
  );
}
