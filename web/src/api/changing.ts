/** Changing what somebody else may be changing at the same time. */
import { isObject, isSame, type Json, type JsonObject } from "../submit/json";
import { asProblem, ProblemError } from "./problem";

/** A field that somebody else has changed since it was looked at, and that is wanted otherwise. */
export interface Clash {
  /** Its path, such as `limits.timeout`. */
  field: string;
  was: Json | undefined;
  now: Json | undefined;
  wanted: Json;
}

/** Somebody else was faster: nothing was changed. `now` is the thing as it is since. */
export class Overtaken<Thing = unknown> extends ProblemError {
  constructor(
    readonly clashes: readonly Clash[],
    readonly now: Thing,
  ) {
    super(
      412,
      "precondition_failed",
      "Somebody else has changed it meanwhile",
      "Nothing was changed by you.",
    );
  }
}

interface Ways<Thing> {
  /** The thing as it is now, and the ETag that stands for it. */
  read(): Promise<{ now: Thing; etag: string }>;
  send(patch: JsonObject, etag: string): Promise<Thing>;
}

/** So often somebody else may come between looking and sending. */
const TRIES = 4;

/**
 * Send a merge patch that was made of a thing as it was `seen`. What others have changed beside it stays; where both
 * have changed the same field nothing is changed, and it throws `Overtaken`.
 */
export async function changeTogether<Thing extends object>(
  seen: Thing,
  patch: JsonObject,
  { read, send }: Ways<Thing>,
): Promise<Thing> {
  for (let tries = 1; ; tries += 1) {
    const { now, etag } = await read();
    const clashes = clashesOf(patch, seen as JsonObject, now as JsonObject);
    if (clashes.length > 0) throw new Overtaken(clashes, now);
    try {
      return await send(patch, etag);
    } catch (error) {
      if (asProblem(error).status !== 412 || tries === TRIES) throw error;
    }
  }
}

/** A thing as the API answers it, with its ETag: `tagged(api.GET("/v1/schedules/{id}", …))`. */
export async function tagged<Thing>(
  call: Promise<{ data?: Thing; response: Response }>,
): Promise<{ now: Thing; etag: string }> {
  const { data, response } = await call;
  return { now: data as Thing, etag: response.headers.get("ETag") ?? "*" };
}

/** Where a patch would take back what became otherwise since. What became as it is wanted is no clash. */
export function clashesOf(patch: JsonObject, seen: JsonObject, now: JsonObject, within = ""): Clash[] {
  return Object.entries(patch).flatMap(([name, wanted]): Clash[] => {
    const [was, is] = [seen[name], now[name]];
    if (isObject(wanted) && isObject(was) && isObject(is))
      return clashesOf(wanted, was, is, `${within}${name}.`);
    if (isSame(was, is) || isSame(is ?? null, wanted)) return [];
    return [{ field: within + name, was, now: is, wanted }];
  });
}
