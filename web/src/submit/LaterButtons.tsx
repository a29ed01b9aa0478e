import { Button, Group } from "@mantine/core";
import { IconBolt, IconCalendarRepeat } from "@tabler/icons-react";
import { useState } from "react";
import { ScheduleDialog } from "../schedules/ScheduleDialog";
import { TriggerDialog } from "../schedules/TriggerDialog";
import type { Target } from "../schedules/targets";
import { useMay } from "../session/session";

interface LaterButtonsProps {
  /** What the form stands for; null: it is nothing that can be submitted again and again. */
  target: Target | null;
  disabled: boolean;
}

/** Instead of now: submit the same by the clock, or when another system posts. */
export function LaterButtons({ target, disabled }: LaterButtonsProps) {
  const maySubmit = useMay("submit");
  const [asked, setAsked] = useState<"schedule" | "trigger" | null>(null);
  if (!target || !maySubmit) return null;
  const button = { variant: "default", disabled } as const;
  return (
    <>
      <Group grow gap="xs">
        <Button
          {...button}
          leftSection={<IconCalendarRepeat size={16} />}
          onClick={() => setAsked("schedule")}
        >
          Schedule…
        </Button>
        <Button {...button} leftSection={<IconBolt size={16} />} onClick={() => setAsked("trigger")}>
          Trigger…
        </Button>
      </Group>
      {asked === "schedule" && <ScheduleDialog target={target} onClose={() => setAsked(null)} />}
      {asked === "trigger" && <TriggerDialog target={target} onClose={() => setAsked(null)} />}
    </>
  );
}
