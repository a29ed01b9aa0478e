/** A sentence of the API, whose names and values stand in backticks. */
export function Said({ children }: { children: string }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one sentence
  return children.split("`").map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part));
}
