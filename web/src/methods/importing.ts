import { api, ask } from "../api/client";
import type { MethodVersion } from "./queries";

/** Take in the document of a method, YAML or JSON, as a draft or published. Throws `ProblemError`. */
export async function importText(text: string, publish: boolean): Promise<MethodVersion> {
  const isJson = text.trimStart().startsWith("{");
  return ask(
    api.POST("/v1/methods:import", {
      params: { query: publish ? { publish: true } : {} },
      headers: { "Content-Type": isJson ? "application/json" : "application/yaml" },
      // The text itself: the API reads it, and tells what is wrong with it.
      body: text as never,
      bodySerializer: (body: unknown) => String(body),
    }),
  );
}
