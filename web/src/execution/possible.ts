/** WHAT CAN BE ASKED of an execution as it stands, and why not. The table is docs/states.md's, against which it is tested. */
import type { Execution, Scope } from "../api/types";

export type Operation =
  | "cancel"
  | "force"
  | "freeze"
  | "checkpoint"
  | "resume"
  | "hold"
  | "release"
  | "rerun"
  | "archive"
  | "restore"
  | "delete"
  | "describe"
  | "adjust";

/** A status as operations tell them apart: `paused` is two. */
export const STANDINGS = [
  "queued",
  "preparing",
  "running",
  "paused (freeze)",
  "paused (checkpoint)",
  "stopping",
  "succeeded",
  "failed",
  "timed_out",
  "canceled",
  "crashed",
] as const;
type Standing = (typeof STANDINGS)[number];

export type Answer = "done" | "same" | "409";
const MARKS: Record<string, Answer> = { "+": "done", "=": "same", "-": "409" };

/** By operation, one mark for each standing: it is done (+), is so already (=), or is refused (-). */
const TABLE: Record<Operation, string> = {
  cancel: "++++++---=-",
  force: "++++++---=-",
  freeze: "--+=-------",
  checkpoint: "--+-=------",
  resume: "===++------",
  hold: "+----------",
  release: "+=====-----",
  rerun: "------+++++",
  archive: "------+++++",
  restore: "======+++++",
  delete: "+++++++++++",
  describe: "+++++++++++",
  adjust: "++++++-----",
};

const SCOPE: Partial<Record<Operation, Scope>> = { rerun: "submit" };

const ENDED = "Not before it has ended.";
const REFUSED: Record<Operation, string> = {
  cancel: "It has ended.",
  force: "It has ended.",
  freeze: "Only what runs can be paused.",
  checkpoint: "Only what runs can be paused.",
  resume: "Only what is paused can be resumed.",
  hold: "Only what is queued can be held.",
  release: "It is not held.",
  rerun: ENDED,
  archive: ENDED,
  restore: "It is not in the archive.",
  delete: "",
  describe: "",
  adjust: "It has ended: its limits are history. Run it again with others.",
};

export function standingOf({ status, pause }: Pick<Execution, "status" | "pause">): Standing {
  if (status !== "paused") return status;
  return pause?.mode === "checkpoint" ? "paused (checkpoint)" : "paused (freeze)";
}

export function answerTo(operation: Operation, standing: Standing): Answer {
  return MARKS[TABLE[operation][STANDINGS.indexOf(standing)] ?? "-"] ?? "409";
}

/** Why this cannot be asked of it now; null if it can. */
export function whyNot(
  operation: Operation,
  record: Execution,
  scopes: readonly Scope[] = ["admin"],
): string | null {
  return missing(SCOPE[operation] ?? "cancel", scopes) ?? (FACTS[operation] ?? byTable(operation))(record);
}

/** Why a session without a scope may not do what needs it; null if it may. */
export function missing(scope: Scope, scopes: readonly Scope[]): string | null {
  if (scopes.includes(scope) || scopes.includes("admin")) return null;
  return `Your token has not the scope “${scope}”.`;
}

type Judge = (record: Execution) => string | null;

function byTable(operation: Operation): Judge {
  return (record) => (answerTo(operation, standingOf(record)) === "done" ? null : REFUSED[operation]);
}

/** What hangs on more than the status. */
const FACTS: Partial<Record<Operation, Judge>> = {
  cancel: (record) => {
    const why = byTable("cancel")(record);
    if (why !== null) return why;
    if (record.status === "stopping") return "It is being stopped.";
    return record.stop?.reason === "cancel" ? "It was asked to stop already." : null;
  },
  freeze: (record) => whyNoPause("freeze", record),
  checkpoint: (record) => {
    if (record.status === "running" && !record.saves_checkpoints)
      return "Its program has not said that it saves checkpoints.";
    return whyNoPause("checkpoint", record);
  },
  resume: (record) => {
    if (record.pause?.resume_by) return `${record.pause.resume_by} has asked for that already.`;
    if (record.status === "running" && record.pause) return null;
    return byTable("resume")(record);
  },
  hold: (record) => (isHeld(record) ? "It is held already." : byTable("hold")(record)),
  release: (record) => (isHeld(record) ? null : REFUSED.release),
  rerun: (record) => {
    const why = byTable("rerun")(record);
    if (why || record.secrets.length === 0) return why;
    return "Its secrets were not kept. Edit it, and give them again.";
  },
  archive: (record) => (record.archived_at ? "It is in the archive." : byTable("archive")(record)),
  restore: (record) => (record.archived_at ? null : REFUSED.restore),
  delete: (record) =>
    record.delete_requested_at
      ? `${record.delete_requested_by ?? "Somebody"} has asked for that already.`
      : null,
};

function whyNoPause(operation: "freeze" | "checkpoint", record: Execution): string | null {
  if (record.pause && record.status === "running")
    return `${record.pause.by} has asked for a pause already (${record.pause.mode}).`;
  if (record.status === "paused") return "It is paused.";
  if (record.status === "preparing" || record.status === "queued") return "Not before it runs.";
  return byTable(operation)(record);
}

export function isHeld({ status, waiting_on }: Pick<Execution, "status" | "waiting_on">): boolean {
  return status === "queued" && waiting_on === "hold";
}

/** Why nothing can go on from its checkpoint; null if something can. */
export function whyNoCheckpoint(record: Execution, scopes: readonly Scope[] = ["admin"]): string | null {
  const { files, expired_at } = record.checkpoint;
  const why = whyNot("rerun", record, scopes);
  if (why) return why;
  if (expired_at) return "Its checkpoint was removed.";
  return files > 0 ? null : "It has left no checkpoint.";
}

type Limit = keyof Execution["limits"];

const CLOCKS: readonly Limit[] = ["queue_timeout", "pull_timeout", "timeout", "idle_timeout", "warn_before"];
const WHILE_STOPPING: readonly Limit[] = ["grace", "notice"];

/** Why a limit cannot be changed now; null if it can. docs/api.md, “Change”. */
export function whyFixed(
  limit: Limit,
  record: Execution,
  scopes: readonly Scope[] = ["admin"],
): string | null {
  const why = whyNot("adjust", record, scopes);
  if (why || record.status === "queued") return why;
  if (WHILE_STOPPING.includes(limit)) return null;
  if (!CLOCKS.includes(limit)) return "Only while it is queued.";
  return record.status === "stopping" ? "It is being stopped." : null;
}
