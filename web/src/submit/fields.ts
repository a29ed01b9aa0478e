import type { Schemas } from "../api/types";
import { isObject, type Json } from "./json";

export type InputsSchema = Schemas["InputsSchema"];

/** What of JSON Schema an input may say; also such that the API does not know yet. */
export interface InputSchema {
  type?: string | null | undefined;
  format?: string | null | undefined;
  title?: string | null | undefined;
  description?: string | null | undefined;
  default?: unknown;
  examples?: unknown[] | null | undefined;
  enum?: unknown[] | null | undefined;
  items?: InputSchema | null | undefined;
  minimum?: number | null | undefined;
  maximum?: number | null | undefined;
  exclusiveMinimum?: number | null | undefined;
  exclusiveMaximum?: number | null | undefined;
  multipleOf?: number | null | undefined;
  minLength?: number | null | undefined;
  maxLength?: number | null | undefined;
  pattern?: string | null | undefined;
  minItems?: number | null | undefined;
  maxItems?: number | null | undefined;
  uniqueItems?: boolean | null | undefined;
}

/** How an input is asked for. */
export type FieldKind =
  | "text"
  | "paragraph"
  | "integer"
  | "number"
  | "boolean"
  | "choice"
  | "choices"
  | "list"
  | "date"
  | "moment"
  | "file"
  | "secret"
  | "json";

/** One input of a method, as a form has it. */
export interface Field {
  name: string;
  kind: FieldKind;
  /** The title, else the name as words. */
  label: string;
  description: string | null;
  required: boolean;
  default: Json | undefined;
  example: string | null;
  /** What has to hold, in words; null if anything does. */
  rule: string | null;
  /** Of `choice` and `choices`. */
  options: Json[];
  schema: InputSchema;
}

const LONG_TEXT = 120;

/** The inputs of a method in their order, those that are required as they come. */
export function fieldsOf(schema: unknown): Field[] {
  if (!isObject(schema) || !isObject(schema["properties"])) return [];
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  return Object.entries(schema["properties"]).map(([name, property]) =>
    fieldOf(name, (isObject(property) ? property : {}) as InputSchema, required.includes(name)),
  );
}

function fieldOf(name: string, schema: InputSchema, required: boolean): Field {
  const example = schema.examples?.[0];
  return {
    name,
    kind: kindOf(schema),
    label: schema.title || inWords(name),
    description: schema.description || null,
    required,
    default: schema.default as Json | undefined,
    example: example === undefined ? null : spelled(example as Json),
    rule: ruleOf(schema),
    options: ((schema.type === "array" ? schema.items?.enum : schema.enum) ?? []) as Json[],
    schema,
  };
}

export function kindOf(schema: InputSchema): FieldKind {
  if (schema.type === "array") {
    if (schema.items?.enum) return "choices";
    return isScalar(schema.items) ? "list" : "json";
  }
  if (schema.enum && schema.type !== "boolean") return "choice";
  switch (schema.type) {
    case "string":
      return kindOfText(schema);
    case "integer":
    case "number":
    case "boolean":
      return schema.type;
    default:
      return "json";
  }
}

function kindOfText({ format, maxLength, pattern }: InputSchema): FieldKind {
  switch (format) {
    case "date":
    case "file":
    case "secret":
      return format;
    case "date-time":
      return "moment";
    default:
      return pattern || (maxLength != null && maxLength <= LONG_TEXT) ? "text" : "paragraph";
  }
}

function isScalar(schema: InputSchema | null | undefined): boolean {
  return ["string", "integer", "number"].includes(schema?.type ?? "");
}

/** What has to hold of a value, for people: `1 to 100`, `at most 40 characters, matching ^a+$`. */
export function ruleOf(schema: InputSchema): string | null {
  const said = [
    rangeOf(schema),
    schema.multipleOf != null ? `a multiple of ${schema.multipleOf}` : null,
    countOf(schema.minLength, schema.maxLength, "character"),
    schema.pattern ? `matching ${schema.pattern}` : null,
    countOf(schema.minItems, schema.maxItems, "item"),
    schema.uniqueItems ? "each once" : null,
  ].filter((each) => each !== null);
  if (schema.type === "array" && schema.items) {
    const each = ruleOf(schema.items);
    if (each) said.push(`each ${each}`);
  }
  return said.length > 0 ? said.join(", ") : null;
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: InputSchema): string | null {
  if (minimum != null && maximum != null) return `${minimum} to ${maximum}`;
  const said = [
    minimum != null ? `at least ${minimum}` : null,
    exclusiveMinimum != null ? `more than ${exclusiveMinimum}` : null,
    maximum != null ? `at most ${maximum}` : null,
    exclusiveMaximum != null ? `less than ${exclusiveMaximum}` : null,
  ].filter((each) => each !== null);
  return said.length > 0 ? said.join(", ") : null;
}

function countOf(
  least: number | null | undefined,
  most: number | null | undefined,
  noun: string,
): string | null {
  const nouns = (count: number) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  if (least && most != null) return least === most ? nouns(most) : `${least} to ${nouns(most)}`;
  if (least) return `at least ${nouns(least)}`;
  return most != null ? `at most ${nouns(most)}` : null;
}

/** `learning_rate` as `Learning rate`. */
export function inWords(name: string): string {
  const words = name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim();
  return words ? words.charAt(0).toUpperCase() + words.slice(1) : name;
}

/** A value as one would type it: texts as they are, all else as JSON. */
export function spelled(value: Json | undefined): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What somebody typed, by the type that it is meant to have; the text itself where it is none of that. */
export function typed(text: string, type: string | null | undefined): Json {
  if (type === "string") return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
