import { Button, type ButtonProps, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import type { ReactNode } from "react";
import { showProblem } from "./notify";

interface ConfirmButtonProps extends ButtonProps {
  /** The question, as a sentence. */
  question: string;
  /** What it means, where that is not plain. */
  consequence?: ReactNode;
  /** What the button of the question says; the button's own text if left out. */
  confirm?: string;
  onConfirm: () => Promise<unknown> | undefined;
  children: ReactNode;
}

/** A button that asks once more before it does what cannot be taken back. */
export function ConfirmButton({
  question,
  consequence,
  confirm,
  onConfirm,
  children,
  ...props
}: ConfirmButtonProps) {
  return (
    <Button
      {...props}
      onClick={() => ask({ question, consequence, confirm: confirm ?? String(children), onConfirm })}
    >
      {children}
    </Button>
  );
}

interface Question extends Pick<ConfirmButtonProps, "question" | "consequence" | "onConfirm"> {
  confirm: string;
}

/** Ask before something is done that cannot be taken back; for menus. A failure is shown. */
export function ask({ question, consequence, confirm, onConfirm }: Question): void {
  modals.openConfirmModal({
    title: question,
    children: consequence ? <Text fz="sm">{consequence}</Text> : null,
    labels: { confirm, cancel: "No" },
    confirmProps: { color: "red.8" },
    onConfirm: () => void onConfirm()?.catch(showProblem),
  });
}
