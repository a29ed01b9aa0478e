import { StateMark } from "../ui/StateMark";
import type { Run } from "./queries";

const REASONS = { missed: "Missed", overlap: "Skipped", nothing_matches: "Nothing to do" };

/** What came of a firing, in a word. */
export function RunMark({ run }: { run: Run | null | undefined }) {
  if (!run) return <span>–</span>;
  if (run.status === "fired") return <StateMark tone="good">Submitted</StateMark>;
  if (run.status === "failed") return <StateMark tone="bad">Refused</StateMark>;
  return <StateMark tone="idle">{run.reason ? REASONS[run.reason] : "Skipped"}</StateMark>;
}
