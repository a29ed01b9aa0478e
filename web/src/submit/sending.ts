import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import type { SubmitRequest } from "./requests";

interface How {
  dryRun?: boolean;
  key?: string;
  signal?: AbortSignal;
}

/** Where one goes after it was accepted. */
export type Made = { kind: "executions" | "batches"; id: string };

/** Send a request, or only ask whether it would be accepted: then nothing is made. Throws `ProblemError`. */
export async function send(request: SubmitRequest, { dryRun, key, signal }: How): Promise<Made | null> {
  const params = {
    query: dryRun ? { dry_run: true } : {},
    header: key ? { "Idempotency-Key": key } : {},
  };
  const rest = signal ? { signal } : {};
  // The API judges what is in the body, and names every field.
  const body = request.body as unknown;
  if (request.to === "batches") {
    const made = await ask(
      api.POST("/v1/batches", { params, body: body as Schemas["BatchSubmission"], ...rest }),
    );
    return "id" in made ? { kind: "batches", id: made.id } : null;
  }
  const made =
    request.to === "rerun"
      ? await ask(
          api.POST("/v1/executions/{id}/rerun", {
            params: { ...params, path: { id: request.path.split("/")[3] ?? "" } },
            body: body as Schemas["RerunRequest"],
            ...rest,
          }),
        )
      : await ask(api.POST("/v1/executions", { params, body: body as Schemas["Submission"], ...rest }));
  return "id" in made ? { kind: "executions", id: made.id } : null;
}

/** One key for as long as the same is sent: a double click, or a lost answer, makes nothing twice. */
export class Once {
  #sent = "";
  #key = "";

  keyFor(request: SubmitRequest): string {
    const sent = JSON.stringify([request.path, request.body]);
    if (sent !== this.#sent) {
      this.#sent = sent;
      this.#key = randomKey();
    }
    return this.#key;
  }
}

/** `crypto.randomUUID` is there in secure contexts only, and a monitor may be served by plain http. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
