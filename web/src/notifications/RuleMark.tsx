import { StateMark } from "../ui/StateMark";
import type { Rule } from "./telling";

/** Whether anything is said by it. */
export function RuleMark({ rule }: { rule: Rule }) {
  return <StateMark tone={rule.enabled ? "good" : "idle"}>{rule.enabled ? "Enabled" : "Disabled"}</StateMark>;
}
