import type { Cause, Status } from "../api/types";

/** Something happened to an execution; docs/events.md. `from` is null when it was submitted. */
export interface ExecutionFrame {
  type: "execution";
  cursor: number;
  id: string;
  number: number;
  from: Status | null;
  status: Status;
  cause: Cause | null;
  message: string | null;
  actor: string;
  attempt: number;
  at: string;
  exit_code: number | null;
  name: string | null;
  owner: string;
  pool: string;
  labels: Record<string, string>;
  image: string;
  created_at: string;
}

export interface DeletedFrame {
  type: "deleted";
  cursor: number;
  id: string;
  status: Status;
  owner: string;
  pool: string;
  labels: Record<string, string>;
}

export interface BatchFrame {
  type: "batch";
  cursor: number;
  id: string;
  status: string;
  at: string;
  total: number;
  by_status: Partial<Record<Status, number>>;
  name: string | null;
  owner: string;
  pools: string[];
  labels: Record<string, string>;
}

export interface ProgressFrame {
  type: "progress";
  id: string;
  percent: number | null;
  phase: string | null;
  at: string;
}

/** What pages hear of. */
export type Happening = ExecutionFrame | DeletedFrame | BatchFrame | ProgressFrame;

export type Frame =
  | Happening
  | { type: "hello"; protocol: number; cursor: number }
  | { type: "resync"; cursor: number };
