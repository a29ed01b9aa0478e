import { ActionIcon, Menu } from "@mantine/core";
import { IconDoorExit, IconDotsVertical, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import type { Worker } from "../api/types";
import { ask } from "../ui/ConfirmButton";
import { useWorkerVerb } from "./queries";
import { type Verb, verbsFor } from "./standing";

const VERBS = {
  pause: {
    label: "Pause",
    icon: IconPlayerPause,
    question: (host: string) => `Pause the worker on ${host}?`,
    consequence: "It takes nothing new until it is resumed. What runs there goes on.",
  },
  drain: {
    label: "Drain",
    icon: IconDoorExit,
    question: (host: string) => `Drain the worker on ${host}?`,
    consequence:
      "It takes nothing new, and its process ends when what it runs has ended. What is frozen has to be resumed or canceled for that.",
  },
  resume: {
    label: "Resume",
    icon: IconPlayerPlay,
    question: (host: string) => `Let the worker on ${host} take work again?`,
    consequence: "It begins with what has waited longest in its pool.",
  },
} satisfies Record<Verb, unknown>;

/** What a worker can be told, each after a question. */
export function WorkerMenu({ worker }: { worker: Worker }) {
  const { mutateAsync, isPending } = useWorkerVerb(worker);
  const verbs = verbsFor(worker.state);
  if (verbs.length === 0) return null;
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          loading={isPending}
          aria-label={`What the worker on ${worker.host}, process ${worker.pid}, can be told`}
        >
          <IconDotsVertical size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {verbs.map((verb) => {
          const { label, icon: Icon, question, consequence } = VERBS[verb];
          return (
            <Menu.Item
              key={verb}
              leftSection={<Icon size={16} />}
              onClick={() =>
                ask({
                  question: question(worker.host),
                  consequence,
                  confirm: label,
                  onConfirm: () => mutateAsync(verb),
                })
              }
            >
              {label}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}
