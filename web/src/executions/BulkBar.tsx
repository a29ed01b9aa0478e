import { Button, CloseButton, Group, Text } from "@mantine/core";
import { IconArchive, IconPlayerStop, IconRefresh, IconRestore, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { useMay } from "../session/session";
import { ask } from "../ui/ConfirmButton";
import { showProblem } from "../ui/notify";
import { type Act, doToAll, doToEach } from "./bulk";
import classes from "./List.module.css";
import { filterBody, type ListSearch, type Shelf } from "./search";
import { counted, secondThoughts, tell } from "./telling";

interface BulkBarProps {
  shelf: Shelf;
  search: ListSearch;
  /** Those that are chosen, by their ids. */
  chosen: ReadonlySet<string>;
  /** Whether all that are loaded are chosen, and there are more: then all that match can be meant. */
  mayMeanAll: boolean;
  /** Called with those that are as good as gone, and again without them if that is called off. */
  onHide: (hidden: ReadonlySet<string>) => void;
  onClear: () => void;
  /** What one is called where it is told what came of it. */
  nameOf: (id: string) => string;
}

const QUESTIONS: Partial<
  Record<Act, (what: string) => { question: string; consequence: string; confirm: string }>
> = {
  cancel: (what) => ({
    question: `Stop ${what}?`,
    consequence: "Each is asked to stop, and may save its work; what waits in the queue is canceled at once.",
    confirm: "Stop",
  }),
  delete: (what) => ({
    question: `Delete ${what}?`,
    consequence: "Record, history, log and outputs go for good. What still runs is stopped first.",
    confirm: "Delete",
  }),
};

const BUTTONS: { act: Act; word: string; icon: typeof IconTrash; on: Shelf[]; scope: "cancel" | "submit" }[] =
  [
    { act: "cancel", word: "Stop", icon: IconPlayerStop, on: ["live"], scope: "cancel" },
    { act: "rerun", word: "Run again", icon: IconRefresh, on: ["live", "archive"], scope: "submit" },
    { act: "archive", word: "Archive", icon: IconArchive, on: ["live"], scope: "cancel" },
    { act: "restore", word: "Restore", icon: IconRestore, on: ["archive"], scope: "cancel" },
    { act: "delete", word: "Delete", icon: IconTrash, on: ["live", "archive"], scope: "cancel" },
  ];

/** What can be done to those that are chosen, at the foot of the list. */
export function BulkBar({ shelf, search, chosen, mayMeanAll, onHide, onClear, nameOf }: BulkBarProps) {
  const [meansAll, setMeansAll] = useState(false);
  const [doing, setDoing] = useState<Act | null>(null);
  const may = { cancel: useMay("cancel"), submit: useMay("submit") };
  const isAll = mayMeanAll && meansAll;

  async function perform(act: Act): Promise<void> {
    const ids = [...chosen];
    if (act === "delete" && !isAll) {
      onHide(new Set(ids));
      onClear();
      if (!(await secondThoughts(ids.length))) {
        onHide(new Set());
        return;
      }
    }
    setDoing(act);
    try {
      const outcome = isAll ? await doToAll(act, filterBody(search, shelf)) : await doToEach(act, ids);
      tell(act, outcome, nameOf);
      onClear();
    } finally {
      setDoing(null);
      onHide(new Set());
    }
  }

  function begin(act: Act): void {
    const words = QUESTIONS[act]?.(isAll ? "all that match" : counted(chosen.size));
    // What is deleted one by one can be called off for a while; nothing else is asked twice.
    if (words && (act === "cancel" || isAll)) ask({ ...words, onConfirm: () => perform(act) });
    else void perform(act).catch(showProblem);
  }

  if (chosen.size === 0) return null;
  return (
    <section className={classes.bar} aria-label="What is chosen">
      <Text fw={600} fz="sm" role="status">
        {isAll ? "All that match" : `${chosen.size.toLocaleString()} chosen`}
      </Text>
      {mayMeanAll && (
        <Button size="compact-sm" variant="subtle" onClick={() => setMeansAll(!meansAll)}>
          {isAll ? "Only those that are loaded" : "Choose all that match"}
        </Button>
      )}
      <Group gap="xs" ml="auto">
        {BUTTONS.filter(({ on, scope }) => on.includes(shelf) && may[scope]).map(
          ({ act, word, icon: Icon }) => (
            <Button
              key={act}
              size="compact-md"
              variant={act === "delete" ? "light" : "default"}
              color={act === "delete" ? "red" : undefined}
              leftSection={<Icon size={16} stroke={1.7} />}
              loading={doing === act}
              disabled={doing !== null && doing !== act}
              onClick={() => begin(act)}
            >
              {word}
            </Button>
          ),
        )}
      </Group>
      <CloseButton aria-label="Choose none" onClick={onClear} />
    </section>
  );
}
