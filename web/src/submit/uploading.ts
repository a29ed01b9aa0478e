import { ProblemError, problemOf, unreachable } from "../api/problem";
import type { Execution, Schemas } from "../api/types";
import { sessionEnded } from "../session/login";

export interface Upload<Made> {
  /** The record, once all of it is stored. Rejected with `ProblemError`, and with `AbortError` after `cancel`. */
  done: Promise<Made>;
  cancel(): void;
}

/** Begins to send a file; `onProgress` is told the bytes that were sent. */
export type Send<Made> = (file: File, onProgress: (bytes: number) => void) => Upload<Made>;

/** To the store, as it is. */
export const upload: Send<Schemas["FileView"]> = (file, onProgress) =>
  post(`/v1/files?name=${encodeURIComponent(plainName(file.name))}`, file, onProgress);

/** A bundle, of which an execution becomes. */
export const uploadBundle: Send<Execution> = (file, onProgress) => post("/v1/imports", file, onProgress);

/** A file as the body of a request, with its progress, which `fetch` could not tell. */
function post<Made>(path: string, file: File, onProgress: (bytes: number) => void): Upload<Made> {
  const request = new XMLHttpRequest();
  const done = new Promise<Made>((resolve, reject) => {
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => {
      const answer = new Response(request.responseText, {
        status: request.status,
        statusText: request.statusText,
        headers: { "X-Request-Id": request.getResponseHeader("X-Request-Id") ?? "" },
      });
      if (answer.ok) resolve(JSON.parse(request.responseText) as Made);
      else {
        if (answer.status === 401) sessionEnded();
        void problemOf(answer).then(reject);
      }
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("Canceled", "AbortError"));
    request.open("POST", path);
    if (file.type) request.setRequestHeader("Content-Type", file.type);
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
}

/** A name that the store takes: one plain file name. */
export function plainName(name: string): string {
  const printable = name.replace(/[/\\]/g, "_").replace(/[\p{C}]/gu, "");
  return printable || "file";
}

export function isCanceled(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function reasonOf(error: unknown): string {
  return error instanceof ProblemError ? `${error.detail} ${error.hint ?? ""}`.trim() : String(error);
}
