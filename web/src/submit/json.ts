/** What JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two values say the same; the order of keys does not count. */
export function isSame(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, index) => isSame(item, other[index]));
  if (!isObject(one) || !isObject(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => name in other && isSame(one[name], other[name]))
  );
}

/** The JSON merge patch (RFC 7396) that makes `after` of `before`; undefined if they are the same. */
export function patchOf(before: JsonObject, after: JsonObject): JsonObject | undefined {
  const patch: JsonObject = {};
  for (const name of Object.keys(before)) if (!(name in after)) patch[name] = null;
  for (const [name, value] of Object.entries(after)) {
    const was = before[name];
    if (isObject(was) && isObject(value)) {
      const inner = patchOf(was, value);
      if (inner) patch[name] = inner;
    } else if (!isSame(was, value)) patch[name] = value;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** Without what says nothing: empty texts, lists and objects at the top, and in the objects there undefined ones. */
export function tidied(body: { [name: string]: Json | undefined }): JsonObject {
  const said = Object.entries(body).flatMap(([name, value]): [string, Json][] => {
    if (value === undefined || value === null || value === "") return [];
    if (Array.isArray(value)) return value.length > 0 ? [[name, value]] : [];
    if (!isObject(value)) return [[name, value]];
    const inner = Object.entries(value).filter(([, each]) => each !== undefined);
    return inner.length > 0 ? [[name, Object.fromEntries(inner)]] : [];
  });
  return Object.fromEntries(said);
}
