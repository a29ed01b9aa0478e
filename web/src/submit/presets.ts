import type { JsonObject } from "./json";
import { isObject } from "./json";

/** What a form reads of a method's document. */
export interface Document {
  title?: string | null;
  description?: string | null;
  inputs?: JsonObject;
  profiles?: { [name: string]: Profile };
  limits?: JsonObject;
  pool?: string | null;
  steps?: JsonObject | null;
  env?: { [name: string]: string };
  named_secrets?: { [key: string]: { name: string } };
}

interface Profile {
  title?: string | null;
  inputs?: JsonObject;
  limits?: JsonObject;
  pool?: string | null;
}

const PRESETS = ["max_attempts", "on_timeout", "on_interrupted"] as const;

/** What holds where a submission says nothing: the method's, and over it the profile's. */
export function presetsOf(document: Document, profile: string | undefined): JsonObject {
  const own = (profile && document.profiles?.[profile]) || {};
  const said = document as unknown as JsonObject;
  const pool = own.pool ?? document.pool;
  return {
    ...Object.fromEntries(PRESETS.flatMap((name) => (said[name] == null ? [] : [[name, said[name]]]))),
    limits: { ...(isObject(document.limits) ? document.limits : {}), ...own.limits },
    inputs: { ...own.inputs },
    ...(pool ? { pool } : {}),
  };
}
