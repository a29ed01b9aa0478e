import { createContext, useContext, useEffect } from "react";
import type { FormErrors } from "./errors";
import { isObject, type Json, type JsonObject } from "./json";
import type { Body, Subject } from "./requests";

/** What the parts of a form know of the whole. */
export interface Form {
  subject: Subject;
  body: Body;
  /** What holds where nothing is said, by the method and its profile; for placeholders. */
  presets: JsonObject;
  errors: FormErrors;
  change(name: string, value: Json | undefined): void;
  /** Change one entry of an object, such as a limit. */
  changeWithin(name: string, key: string, value: Json | undefined): void;
  /** Something keeps it from being sent, such as an upload that goes on; null: not any more. */
  block(path: string, reason: string | null): void;
}

export const FormContext = createContext<Form | null>(null);

/** The form that this is a part of. */
export function useForm(): Form {
  const form = useContext(FormContext);
  if (!form) throw new Error("There is no form around this.");
  return form;
}

/** A value of the form by its path, such as `pool` or `limits.timeout`, and what is wrong with it. */
export interface Bound {
  /** The id of its element, by which a summary of errors leads to it. */
  id: string;
  value: Json | undefined;
  preset: Json | undefined;
  error: string | undefined;
  set(value: Json | undefined): void;
}

/** Bind an element to the value at a path. */
export function useBound(path: string): Bound {
  const { body, presets, errors, change, changeWithin } = useForm();
  const [name, key] = partsOf(path);
  const within = (value: Json | undefined) =>
    key === null ? value : isObject(value) ? value[key] : undefined;
  return {
    id: idOf(path),
    value: within(body[name]),
    preset: within(presets[name]),
    error: errors.at(path),
    set: (value) => (key === null ? change(name, value) : changeWithin(name, key, value)),
  };
}

/** Keep the form from being sent for a reason, while there is one. */
export function useBlock(path: string, reason: string | null): void {
  const { block } = useForm();
  useEffect(() => {
    block(path, reason);
    return () => block(path, null);
  }, [block, path, reason]);
}

export function idOf(path: string): string {
  return `field-${path.replace(/[^\w.-]/g, "_")}`;
}

function partsOf(path: string): [string, string | null] {
  const dot = path.indexOf(".");
  return dot < 0 ? [path, null] : [path.slice(0, dot), path.slice(dot + 1)];
}
