import { say, showProblem } from "../ui/notify";

/** Put a text on the clipboard, and say so. */
export function copyText(text: string, done: string): void {
  write(text).then(() => say(done), showProblem);
}

async function write(text: string): Promise<void> {
  // Over plain http browsers have no clipboard but this one.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("readonly", "");
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("The browser does not let this page copy.");
}
