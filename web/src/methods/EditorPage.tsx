import { Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { asProblem } from "../api/problem";
import { Page } from "../layout/Page";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { importText } from "./importing";
import { lineOf } from "./lines";
import classes from "./Methods.module.css";
import { exportQuery, METHODS } from "./queries";

const route = getRouteApi("/shell/method-editor");

const BEGINNING = `name: my-method
version: 0.1.0
title: What it is about
image: busybox:local
command:
- echo
- hello {{whom}}
inputs:
  type: object
  properties:
    whom:
      type: string
      maxLength: 40
      default: world
limits:
  timeout: 600
`;

/** The document of a method as text: a new one, or a draft. The API says what is wrong, and here on which lines. */
export function EditorPage() {
  const { name, version } = route.useSearch();
  const isNew = name === undefined || version === undefined;
  const document = useQuery({ ...exportQuery(name ?? "", version ?? ""), enabled: !isNew, gcTime: 0 });
  return (
    <Page
      title={isNew ? "New method" : `${name} ${version}`}
      lead={
        <Text c="dimmed">
          YAML or JSON. A draft can be changed and not be submitted; what is published stays as it is.
        </Text>
      }
    >
      {document.error && <ProblemView error={document.error} />}
      {!isNew && document.isPending ? (
        <Skeleton h={400} radius="md" />
      ) : (
        <Editor key={`${name}@${version}`} beginning={document.data ?? BEGINNING} />
      )}
    </Page>
  );
}

function Editor({ beginning }: { beginning: string }) {
  const [text, setText] = useState(beginning);
  const client = useQueryClient();
  const navigate = route.useNavigate();
  const area = useRef<HTMLTextAreaElement>(null);
  const saving = useMutation({
    mutationFn: (publish: boolean) => importText(text, publish),
    onSuccess: async (made) => {
      say(made.status === "draft" ? "The draft is kept." : `Version ${made.version} is published.`);
      await client.invalidateQueries({ queryKey: METHODS });
      await navigate({
        to: "/methods/$name",
        params: { name: made.method },
        search: { version: made.version },
      });
    },
  });
  const errors = saving.error ? asProblem(saving.error).errors : [];
  const marked = new Set(errors.flatMap(({ field }) => lineOf(text, field) ?? []));

  function goTo(line: number): void {
    const start =
      text
        .split("\n")
        .slice(0, line - 1)
        .join("\n").length + (line > 1 ? 1 : 0);
    area.current?.focus();
    area.current?.setSelectionRange(start, start + (text.split("\n")[line - 1] ?? "").length);
  }

  return (
    <Stack gap="sm">
      <ProblemView error={saving.error} shownFields={errors.map(({ field }) => field)} />
      {errors.length > 0 && (
        <ul className={classes.errors} aria-label="What is wrong">
          {errors.map(({ field, message }) => {
            const line = lineOf(text, field);
            return (
              <li key={`${field} ${message}`}>
                {line !== null && (
                  <Button size="compact-xs" variant="default" onClick={() => goTo(line)}>
                    Line {line}
                  </Button>
                )}{" "}
                <code>{field}</code> {message}
              </li>
            );
          })}
        </ul>
      )}
      <div className={classes.editor}>
        <div className={classes.numbers} aria-hidden>
          {text.split("\n").map((_, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
            <span key={index} data-wrong={marked.has(index + 1)}>
              {index + 1}
            </span>
          ))}
        </div>
        <textarea
          ref={area}
          className={classes.text}
          aria-label="Document"
          value={text}
          rows={Math.max(24, text.split("\n").length + 1)}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          onChange={({ currentTarget }) => setText(currentTarget.value)}
        />
      </div>
      <Group>
        <Button loading={saving.isPending} onClick={() => saving.mutate(false)}>
          Keep as a draft
        </Button>
        <Button variant="default" disabled={saving.isPending} onClick={() => saving.mutate(true)}>
          Publish
        </Button>
      </Group>
    </Stack>
  );
}
