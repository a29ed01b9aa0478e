import { Alert, Anchor, Button, List, SegmentedControl, Stack, Text } from "@mantine/core";
import {
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconDeviceFloppy,
  IconPlayerPlay,
} from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { CopyButton } from "../ui/CopyButton";
import { ProblemView } from "../ui/ProblemView";
import { Said } from "../ui/Said";
import { codeOf, LANGUAGES, type Language } from "./code";
import type { FormErrors } from "./errors";
import { idOf } from "./form";
import type { Rehearsal } from "./rehearsal";
import type { SubmitRequest } from "./requests";
import classes from "./Submit.module.css";

interface RequestPanelProps {
  request: SubmitRequest;
  rehearsal: Rehearsal;
  errors: FormErrors;
  /** Names of fields that the form shows; what is wrong elsewhere stands here. */
  shown: readonly string[];
  secretInputs: string[];
  /** Why it cannot be sent now, such as an upload. */
  blocked: string | null;
  /** What the button says. */
  verb: string;
  isSending: boolean;
  /** It becomes part of something else, and is not submitted now. */
  isKept: boolean;
  /** Why sending it failed. */
  problem: unknown;
  /** What else can be done with it, below the button. */
  children?: ReactNode;
}

/** Whether it would be accepted, the button, and the same request for a script. */
export function RequestPanel(props: RequestPanelProps) {
  const {
    request,
    rehearsal,
    errors,
    shown,
    secretInputs,
    blocked,
    verb,
    isSending,
    isKept,
    problem,
    children,
  } = props;
  return (
    <Stack gap="sm">
      <Verdict rehearsal={rehearsal} errors={errors} />
      <Elsewhere rehearsal={rehearsal} errors={errors} shown={shown} />
      <ProblemView error={problem} shownFields={errors.all.map(({ field }) => field)} />
      <Button
        type="submit"
        size="md"
        loading={isSending}
        disabled={blocked !== null}
        leftSection={isKept ? <IconDeviceFloppy size={18} /> : <IconPlayerPlay size={18} />}
      >
        {verb}
      </Button>
      {children}
      {blocked && (
        <Text fz="sm" c="dimmed">
          {blocked}
        </Text>
      )}
      <Code request={request} secretInputs={secretInputs} />
    </Stack>
  );
}

function Verdict({ rehearsal, errors }: { rehearsal: Rehearsal; errors: FormErrors }) {
  const said = verdictOf(rehearsal, errors);
  const Icon = {
    accepted: IconCircleCheck,
    refused: IconCircleX,
    asking: IconCircleDashed,
    unknown: IconCircleDashed,
  }[rehearsal.state];
  return (
    <div role="status" className={classes.verdict} data-state={said.isWaiting ? "unknown" : rehearsal.state}>
      <Icon size={18} aria-hidden />
      <span>{said.text}</span>
    </div>
  );
}

function verdictOf({ state, problem }: Rehearsal, errors: FormErrors): { text: string; isWaiting: boolean } {
  if (state === "accepted") return { text: "It would be accepted.", isWaiting: false };
  if (state === "asking") return { text: "Asking whether it would be accepted …", isWaiting: true };
  if (state === "unknown" && problem) return { text: "It cannot be checked now.", isWaiting: true };
  if (state === "unknown") return { text: "Fill in the form: it is checked as you go.", isWaiting: true };
  const missing = errors.missing.length;
  if (missing > 0 && missing === errors.all.length)
    return {
      text: `${missing === 1 ? "One field is" : `${missing} fields are`} still needed.`,
      isWaiting: true,
    };
  return { text: "It would not be accepted.", isWaiting: false };
}

/** What stands at no field of the form, with the hint; and ways to those that do. */
function Elsewhere({ rehearsal, errors, shown }: Pick<RequestPanelProps, "rehearsal" | "errors" | "shown">) {
  const { problem, state } = rehearsal;
  if (!problem || state === "accepted") return null;
  const elsewhere = errors.elsewhere(shown);
  const atFields = errors.all.filter((error) => !elsewhere.includes(error));
  return (
    <>
      {(elsewhere.length > 0 || errors.all.length === 0) && (
        <Alert color="red" variant="light" title={problem.title}>
          {elsewhere.length === 0 && (
            <Text fz="sm">
              <Said>{problem.detail}</Said>
            </Text>
          )}
          <List fz="sm">
            {elsewhere.map(({ field, message }) => (
              <List.Item key={`${field} ${message}`}>
                <code>{field}</code> <Said>{message}</Said>
              </List.Item>
            ))}
          </List>
          {problem.hint && (
            <Text fz="sm" c="dimmed" mt={4}>
              <Said>{problem.hint}</Said>
            </Text>
          )}
        </Alert>
      )}
      {atFields.length > 0 && (
        <List fz="sm" spacing={2}>
          {atFields.map(({ field, message }) => (
            <List.Item key={`${field} ${message}`}>
              <Anchor component="button" type="button" fz="sm" ta="left" onClick={() => goTo(field)}>
                {nameOf(field)}
              </Anchor>{" "}
              <Said>{message}</Said>
            </List.Item>
          ))}
        </List>
      )}
    </>
  );
}

function nameOf(field: string): string {
  return field.replace(/^(inputs|limits)\./, "");
}

/** To the element of a field, or of the next one that has it in it. */
function goTo(field: string): void {
  for (let path = field; path; path = path.replace(/(\.|\[)[^.[]*$|^[^.[]*$/, "")) {
    const element = document.getElementById(idOf(path));
    if (!element) continue;
    element.scrollIntoView({ block: "center" });
    const focusable = element.matches("input, textarea, button")
      ? element
      : element.querySelector("input, textarea, button");
    if (focusable instanceof HTMLElement) focusable.focus({ preventScroll: true });
    return;
  }
}

function Code({ request, secretInputs }: { request: SubmitRequest; secretInputs: string[] }) {
  const [language, setLanguage] = useState<Language>("cli");
  const code = codeOf(request, language, location.origin, secretInputs);
  return (
    <Stack gap={6}>
      <Text fz="sm" fw={600}>
        The same from a script
      </Text>
      <SegmentedControl
        size="xs"
        fullWidth
        aria-label="Language"
        data={LANGUAGES}
        value={language}
        onChange={(value) => setLanguage(value as Language)}
      />
      <div style={{ position: "relative" }}>
        <div style={{ position: "absolute", top: 4, right: 4 }}>
          <CopyButton value={code} what="Copy the code" />
        </div>
        {/* It scrolls, so keys have to reach it. */}
        <section className={classes.code} tabIndex={0} aria-label="The same request as code">
          {code}
        </section>
      </div>
    </Stack>
  );
}
