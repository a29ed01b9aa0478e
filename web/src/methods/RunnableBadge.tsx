import { Tooltip } from "@mantine/core";
import { StateMark } from "../ui/StateMark";
import type { MethodSummary } from "./queries";

/** Whether a method may be submitted, and if not, why. */
export function RunnableBadge({ method }: { method: MethodSummary }) {
  const { word, why, tone } = stateOf(method);
  const mark = <StateMark tone={tone}>{word}</StateMark>;
  if (!why) return mark;
  return (
    <Tooltip label={why} multiline maw={360}>
      {/* Keys reach it, too: the reason stands nowhere else in a list. */}
      <span role="note" tabIndex={0}>
        {mark}
      </span>
    </Tooltip>
  );
}

function stateOf({ runnable, disabled, latest, retired_at }: MethodSummary) {
  if (retired_at)
    return { word: "Retired", why: "It is hidden, and nothing of it is accepted.", tone: "idle" } as const;
  if (disabled) return { word: "Disabled", why: `${disabled.by}: ${disabled.reason}`, tone: "bad" } as const;
  if (!latest) return { word: "Draft", why: "No version of it is published.", tone: "idle" } as const;
  return runnable
    ? ({ word: "Runnable", why: null, tone: "good" } as const)
    : ({ word: "Not runnable", why: "Nothing of it is accepted now.", tone: "bad" } as const);
}
