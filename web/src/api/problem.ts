/** One field of a request that is wrong, as RFC 9457 problems of the API name it. */
export interface FieldError {
  field: string;
  code: string;
  message: string;
}

/** Every answer that is no success, and no answer at all. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(
    readonly status: number,
    /** The end of the problem's `type`, such as `conflict`; `unreachable` when no answer came. */
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly hint: string | null = null,
    readonly errors: readonly FieldError[] = [],
    readonly requestId: string | null = null,
    /** After so many seconds the same may be asked again; null where that is not told. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail);
  }
}

/** What an answer that is no success says. Whatever is no problem document is told by its status. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  const said = isObject(body) ? body : {};
  const type = text(said["type"]) ?? "";
  return new ProblemError(
    response.status,
    type.slice(type.lastIndexOf(":") + 1) || `http_${response.status}`,
    text(said["title"]) ?? "The API gave an unexpected answer",
    text(said["detail"]) ?? `The answer was ${response.status} ${response.statusText}.`.replace(" .", "."),
    text(said["hint"]),
    Array.isArray(said["errors"]) ? said["errors"].filter(isFieldError) : [],
    response.headers.get("X-Request-Id"),
    seconds(response.headers.get("Retry-After")),
  );
}

export function unreachable(): ProblemError {
  return new ProblemError(
    0,
    "unreachable",
    "Tailrace cannot be reached",
    "No answer came from the API.",
    "It may be starting again: try once more in a moment.",
  );
}

/** Any error as a problem, so that one component can show all of them. */
export function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ProblemError(0, "page", "Something went wrong in this page", detail);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isFieldError(value: unknown): value is FieldError {
  return isObject(value) && typeof value["field"] === "string" && typeof value["message"] === "string";
}

function seconds(header: string | null): number | null {
  return header && /^\d+$/.test(header) ? Number(header) : null;
}

function text(value: unknown): string | null {
  return typeof value === "string" && value ? value : null;
}
