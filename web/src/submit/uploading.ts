import { ProblemError, problemOf, unreachable } from "../api/problem";
import type { Schemas } from "../api/types";
import { sessionEnded } from "../session/login";

export interface Upload {
  /** The record, once all of it is stored. Rejected with `ProblemError`, and with `AbortError` after `cancel`. */
  done: Promise<Schemas["FileView"]>;
  cancel(): void;
}

/** Send a file to the store as it is. `onProgress` is told the bytes that were sent; `fetch` could not tell. */
export function upload(file: File, onProgress: (bytes: number) => void): Upload {
  const request = new XMLHttpRequest();
  const done = new Promise<Schemas["FileView"]>((resolve, reject) => {
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => {
      const answer = new Response(request.responseText, {
        status: request.status,
        statusText: request.statusText,
        headers: { "X-Request-Id": request.getResponseHeader("X-Request-Id") ?? "" },
      });
      if (answer.ok) resolve(JSON.parse(request.responseText) as Schemas["FileView"]);
      else {
        if (answer.status === 401) sessionEnded();
        void problemOf(answer).then(reject);
      }
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("Canceled", "AbortError"));
    request.open("POST", `/v1/files?name=${encodeURIComponent(plainName(file.name))}`);
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
