import { Button, Group, Select, Skeleton, Stack, Text } from "@mantine/core";
import { IconDownload, IconLock } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Schemas } from "../api/types";
import { useMay } from "../session/session";
import { CopyButton } from "../ui/CopyButton";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { CodeBlock } from "./CodeBlock";
import { codeQuery } from "./queries";

type Language = Schemas["Language"];

const LANGUAGES: Record<Language, { label: string; needs: string }> = {
  curl: { label: "curl", needs: "sh and curl: four commands, to be copied one by one" },
  bash: { label: "Bash", needs: "bash and curl" },
  python: { label: "Python", needs: "Python 3.9, nothing else" },
  "python-client": { label: "Python, our client", needs: "Python 3.10 with our client" },
  notebook: { label: "Notebook", needs: "Jupyter with Python" },
  javascript: { label: "JavaScript", needs: "Node.js 20" },
  r: { label: "R", needs: "R 4 with the package httr" },
  julia: { label: "Julia", needs: "Julia with the packages HTTP and JSON" },
};
const CHOICES = Object.entries(LANGUAGES).map(([value, { label }]) => ({ value, label }));
const KEPT = "tailrace-code-language";

/** A program that does the same: submits it, shows its log, and fetches what it leaves. */
export function CodePanel({ id }: { id: string }) {
  const may = useMay("submit");
  const [language, setLanguage] = useState<Language>(remembered);
  if (!may)
    return (
      <EmptyState
        icon={IconLock}
        title="Not with your token"
        text="Code shows the values of its variables: that takes the scope “submit”."
      />
    );
  return (
    <Stack gap="sm">
      <Group align="flex-end" gap="sm">
        <Select
          label="Language"
          data={CHOICES}
          value={language}
          onChange={(value) => {
            if (!isLanguage(value)) return;
            localStorage.setItem(KEPT, value);
            setLanguage(value);
          }}
          allowDeselect={false}
          w={200}
        />
        <Button
          component="a"
          href={`/v1/executions/${id}/code?language=${language}`}
          download
          variant="default"
          leftSection={<IconDownload size={16} />}
        >
          Download
        </Button>
      </Group>
      <Text fz="sm" c="dimmed">
        It needs {LANGUAGES[language].needs}, and your token in the variable <code>TAILRACE_TOKEN</code>.
      </Text>
      <Code id={id} language={language} />
    </Stack>
  );
}

function Code({ id, language }: { id: string; language: Language }) {
  const { data: code, error } = useQuery(codeQuery(id, language));
  if (error) return <ProblemView error={error} />;
  if (code === undefined) return <Skeleton h={300} />;
  return (
    <div style={{ position: "relative" }}>
      <div style={{ position: "absolute", top: 8, right: 12 }}>
        <CopyButton value={code} what="Copy the code" />
      </div>
      <CodeBlock text={code} label={`Code, ${LANGUAGES[language].label}`} />
    </div>
  );
}

function isLanguage(value: string | null): value is Language {
  return value !== null && value in LANGUAGES;
}

function remembered(): Language {
  const kept = localStorage.getItem(KEPT);
  return isLanguage(kept) ? kept : "python";
}
