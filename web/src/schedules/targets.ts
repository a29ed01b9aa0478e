/** What is submitted, in a few words: the method or the image, and of a batch how its children come. */
export function targetOf(target: { readonly [field: string]: unknown }): string {
  const execution = asObject(target["execution"]);
  if (execution) return whatOf(execution);
  const batch = asObject(target["batch"]);
  if (!batch) return "–";
  const defaults = asObject(batch["defaults"]) ?? {};
  const how = ["matrix", "items", "count", "query"].find((name) => batch[name] != null);
  return `Batch of ${whatOf({ ...defaults, ...(batch["method"] ? { method: batch["method"] } : {}) })}${how ? ` (${how})` : ""}`;
}

function whatOf({ method, image, command }: { readonly [field: string]: unknown }): string {
  if (typeof method === "string") return method;
  const words = Array.isArray(command) ? ` ${command.join(" ")}` : "";
  return `${typeof image === "string" ? image : "its own images"}${words}`;
}

function asObject(value: unknown): { [field: string]: unknown } | null {
  return typeof value === "object" && value !== null ? (value as { [field: string]: unknown }) : null;
}
