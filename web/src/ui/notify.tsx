import { notifications } from "@mantine/notifications";
import { asProblem } from "../api/problem";

/** Say for a moment that something was done. */
export function say(message: string, title?: string): void {
  notifications.show({ message, ...(title ? { title } : {}), color: "race" });
}

/** Show for a moment what went wrong: the second argument of `.catch` and `onError`. */
export function showProblem(error: unknown): void {
  const { title, detail, hint } = asProblem(error);
  notifications.show({ color: "red", title, message: hint ? `${detail} ${hint}` : detail, autoClose: 8000 });
}
