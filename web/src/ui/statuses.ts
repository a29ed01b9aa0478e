import {
  type Icon,
  IconBolt,
  IconCheck,
  IconClockX,
  IconHourglass,
  IconPackageImport,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconSlash,
  IconX,
} from "@tabler/icons-react";
import type { Cause, Schemas, Status } from "../api/types";

/** How each status is called and drawn; its colour is `--status-<status>` of theme.css. */
export const STATUS: Record<Status, { word: string; icon: Icon }> = {
  queued: { word: "Queued", icon: IconHourglass },
  preparing: { word: "Preparing", icon: IconPackageImport },
  running: { word: "Running", icon: IconPlayerPlay },
  paused: { word: "Paused", icon: IconPlayerPause },
  stopping: { word: "Stopping", icon: IconPlayerStop },
  succeeded: { word: "Succeeded", icon: IconCheck },
  failed: { word: "Failed", icon: IconX },
  timed_out: { word: "Timed out", icon: IconClockX },
  canceled: { word: "Canceled", icon: IconSlash },
  crashed: { word: "Crashed", icon: IconBolt },
};

/** What each cause means, for lists; a record's own `message` says more. */
export const CAUSE: Record<Cause, string> = {
  ok: "Ended with exit code 0",
  exit_nonzero: "Ended with an exit code other than 0",
  signaled: "Ended by a signal from inside",
  oom_killed: "Used more memory than it may",
  command_not_found: "The image has no such program",
  command_not_executable: "The program cannot be executed",
  spec_rejected: "The container could not be made as asked for",
  output_missing: "A required output is missing",
  disk_limit: "Wrote more to disk than it may",
  image_not_found: "There is no such image",
  image_denied: "The image is not allowed",
  queue_timeout: "Waited too long in the queue",
  pull_timeout: "Pulling the image took too long",
  run_timeout: "Ran for longer than it may",
  idle_timeout: "Wrote nothing for too long",
  canceled_by_user: "Somebody asked to stop it",
  canceled_by_system: "Tailrace stopped it",
  self_canceled: "Ended itself on purpose",
  image_pull_failed: "The image could not be pulled",
  host_lost: "Its host did not come back",
  engine_error: "The container engine failed",
  interrupted: "The container engine restarted under it",
  outcome_unknown: "How it ended cannot be found out",
};

/** Why something is in the queue. */
export const WAITING: Record<Schemas["WaitingOn"], string> = {
  hold: "Held until it is released",
  needs: "Waits for others of its batch",
  not_before: "Waits for its time",
  pool: "No worker takes work from its pool",
  quota: "Waits for others to end: a limit is reached",
  slot: "Waits for its turn",
};
