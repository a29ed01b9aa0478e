import type { FieldError } from "../api/problem";

/** What is wrong with a form, by field. */
export class FormErrors {
  static readonly none = new FormErrors([]);

  constructor(readonly all: readonly FieldError[]) {}

  /** Those of a request, by the names that its form has for them. */
  static of(errors: readonly FieldError[], prefix: string): FormErrors {
    if (!prefix) return new FormErrors(errors);
    return new FormErrors(
      errors.map((error) =>
        error.field.startsWith(prefix) ? { ...error, field: error.field.slice(prefix.length) } : error,
      ),
    );
  }

  /** What is wrong with a field or within it, as one sentence; undefined if nothing is. */
  at(path: string): string | undefined {
    const said = this.all
      .filter(({ field }) => isWithin(field, path))
      .map(({ field, message }) =>
        field === path ? capitalized(message) : `${field.slice(path.length)} ${message}`.replace(/^\./, ""),
      );
    return said.length > 0 ? `${[...new Set(said)].join("; ")}.`.replace(/([.?!])\.$/, "$1") : undefined;
  }

  /** Of a field alone, not of what is in it. */
  exactlyAt(path: string): string | undefined {
    return new FormErrors(this.all.filter(({ field }) => field === path)).at(path);
  }

  /** How many there are at any of these fields. */
  count(paths: readonly string[]): number {
    return this.all.filter(({ field }) => paths.some((path) => isWithin(field, path))).length;
  }

  /** Those that are at none of these fields. */
  elsewhere(paths: readonly string[]): FieldError[] {
    return this.all.filter(({ field }) => !paths.some((path) => isWithin(field, path)));
  }

  /** Without what is only not there yet, until somebody has tried to send it. */
  withoutMissing(): FormErrors {
    return new FormErrors(this.all.filter(({ code }) => code !== "missing"));
  }

  /** What is not there yet. */
  get missing(): string[] {
    return this.all.filter(({ code }) => code === "missing").map(({ field }) => field);
  }
}

function isWithin(field: string, path: string): boolean {
  return field === path || (field.startsWith(path) && /^[.[]/.test(field.slice(path.length)));
}

function capitalized(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}
