import { Button, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconDownload, IconFileUnknown } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import type { Schemas } from "../api/types";
import { asSeen } from "../session/guest";
import { spellBytes } from "../ui/Bytes";
import { CopyButton } from "../ui/CopyButton";
import { EmptyState } from "../ui/EmptyState";
import { JsonView } from "../ui/JsonView";
import { ProblemView } from "../ui/ProblemView";
import { CodeBlock } from "./CodeBlock";
import classes from "./Outputs.module.css";
import { Picture } from "./Picture";
import { previewQuery } from "./queries";
import { withoutEscapes } from "./spelling";
import { TableHead } from "./TableHead";
import type { Output } from "./tree";

const Figure = lazy(() => import("./Figure").then(({ Figure }) => ({ default: Figure })));

/** What can be shown of a file, and how to have it. */
export function OutputPreview({ id, output }: { id: string; output: Output }) {
  const preview = useQuery(previewQuery(id, output));
  return (
    <section className={classes.preview} aria-label={`Preview of ${output.path}`}>
      <Group gap="xs" wrap="nowrap" mb="xs">
        <Stack gap={0} flex={1} miw={0}>
          <Title order={3} className={classes.path}>
            {output.path}
          </Title>
          <Text fz="xs" c="dimmed">
            {output.media_type}, {spellBytes(output.bytes)}
          </Text>
        </Stack>
        <CopyButton value={output.sha256} what="Copy its SHA-256" />
        <Button
          component="a"
          href={asSeen(output.links.self)}
          download
          size="xs"
          variant="default"
          leftSection={<IconDownload size={14} />}
        >
          Download
        </Button>
      </Group>
      <ProblemView error={preview.error} />
      {preview.isPending && <Skeleton h={160} />}
      {preview.data && <Shown id={id} output={output} preview={preview.data} />}
    </section>
  );
}

interface ShownProps {
  id: string;
  output: Output;
  preview: Schemas["PreviewView"];
}

function Shown({ id, output, preview }: ShownProps) {
  return (
    <>
      {preview.cut && preview.kind !== "binary" && (
        <Text fz="xs" c="dimmed" mb={6}>
          Only its beginning is shown. Download it for all of it.
        </Text>
      )}
      <Content id={id} output={output} preview={preview} />
    </>
  );
}

function Content({ id, output, preview }: ShownProps) {
  switch (preview.kind) {
    case "text":
      return <CodeBlock text={withoutEscapes(preview.text)} label={`Text of ${output.path}`} />;
    case "table":
      return <TableHead columns={preview.columns} rows={preview.rows} label={output.path} />;
    case "json":
      return <JsonView value={preview.value} label={output.path} />;
    case "plotly":
      return (
        <Suspense fallback={<Skeleton h={360} />}>
          <Figure value={preview.value} label={output.path} />
        </Suspense>
      );
    case "image":
      return <Picture id={id} output={output} />;
    case "html":
      return (
        <iframe
          className={classes.page}
          // The API sends it with the same, and with no source to load anything from.
          sandbox="allow-scripts"
          src={asSeen(`${output.links.preview}?as=page`)}
          title={output.path}
        />
      );
    case "binary":
      return (
        <EmptyState
          icon={IconFileUnknown}
          title="Nothing of it can be shown"
          text="Download it to see what is in it."
        />
      );
  }
}
