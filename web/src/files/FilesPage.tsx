import { Button, FileButton, Skeleton, Text } from "@mantine/core";
import { IconFiles, IconUpload } from "@tabler/icons-react";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useRef } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { upload as sendFile } from "../submit/uploading";
import { useUpload } from "../submit/useUpload";
import { DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { columnsOf } from "./columns";
import { FileCard } from "./FileCard";
import { NameFilter } from "./NameFilter";
import { FILES, filesQuery } from "./queries";
import { UploadProgress } from "./UploadProgress";

const route = getRouteApi("/shell/files");

/** What was uploaded to be the inputs of executions. */
export function FilesPage() {
  const { name } = route.useSearch();
  const navigate = route.useNavigate();
  const client = useQueryClient();
  const maySubmit = useMay("submit");
  const reset = useRef<() => void>(null);
  const query = useInfiniteQuery(filesQuery(name));
  const { upload, start } = useUpload(sendFile, (file) => {
    say(`${file.name} is kept.`);
    void client.invalidateQueries({ queryKey: FILES });
  });
  return (
    <Page
      title="Files"
      lead={
        <Text c="dimmed">What was uploaded as input. It counts for your storage until it is deleted.</Text>
      }
      actions={
        maySubmit && (
          <FileButton
            resetRef={reset}
            onChange={(file) => {
              if (file) start(file);
              // The same one may be chosen once more.
              reset.current?.();
            }}
          >
            {(props) => (
              <Button {...props} leftSection={<IconUpload size={16} />} disabled={upload !== null}>
                Upload a file
              </Button>
            )}
          </FileButton>
        )
      }
    >
      {upload && <UploadProgress upload={upload} />}
      <NameFilter
        name={name}
        onChange={(next) => void navigate({ search: next ? { name: next } : {}, replace: true })}
      />
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        query.data && (
          <DataTable
            label="Files"
            rows={query.data.pages.flatMap(({ items }) => items)}
            columns={columnsOf(maySubmit)}
            rowKey={({ id }) => id}
            card={(file) => <FileCard file={file} mayDelete={maySubmit} />}
            cardHeight={92}
            height="calc(100dvh - 17rem)"
            onEnd={
              query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
            }
            empty={
              <EmptyState
                icon={IconFiles}
                title={name ? "No file of such a name" : "No file yet"}
                text="A file that is uploaded once can be the input of any number of executions."
              />
            }
          />
        )
      )}
    </Page>
  );
}
