import { quoted } from "../submit/argv";
import type { Trigger } from "./queries";

/** What a sender has to know to post to a trigger. */
export interface Posting {
  /** With the origin, and the token where that is what proves it. */
  address: string;
  signature: Trigger["signature"];
  /** What they sign with, if they do; null: it is not shown any more. */
  secret: string | null;
  body: string;
}

/** What somebody might post: the inputs that the target has, or anything where all of it is one input. */
export function exampleBody({ target, payload_input }: Pick<Trigger, "target" | "payload_input">): string {
  if (payload_input) return JSON.stringify({ ref: "main" });
  const execution = asObject(target["execution"]);
  const batch = asObject(target["batch"]);
  const inputs = execution?.["inputs"] ?? batch?.["inputs"] ?? asObject(batch?.["defaults"])?.["inputs"];
  const said = Object.entries(asObject(inputs) ?? {}).filter(([, value]) => value !== "***");
  return JSON.stringify(Object.fromEntries(said));
}

/** Commands for a shell that post to a trigger as it wants it, signed where it asks for that. */
export function postingOf({ address, signature, secret, body }: Posting): string {
  const to = quoted(address);
  if (signature === null) return `curl -X POST ${to} -d ${quoted(body)}`;
  const own = `secret=${secret === null ? "…" : quoted(secret)}`;
  return signature === "github" ? signedAsGitHub(own, to, body) : signedAsStandard(own, to, body);
}

function signedAsGitHub(own: string, to: string, body: string): string {
  return `${own}
body=${quoted(body)}
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$secret" | sed 's/.*= //')
curl -X POST ${to} -H "X-Hub-Signature-256: sha256=$signature" -d "$body"`;
}

function signedAsStandard(own: string, to: string, body: string): string {
  return `${own}
id=msg_$(date +%s%N) timestamp=$(date +%s) body=${quoted(body)}
key=$(printf %s "\${secret#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \\n')
signature=$(printf '%s.%s.%s' "$id" "$timestamp" "$body" |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
curl -X POST ${to} -H "webhook-id: $id" -H "webhook-timestamp: $timestamp" \\
  -H "webhook-signature: v1,$signature" -d "$body"`;
}

function asObject(value: unknown): { [field: string]: unknown } | null {
  return typeof value === "object" && value !== null ? (value as { [field: string]: unknown }) : null;
}
