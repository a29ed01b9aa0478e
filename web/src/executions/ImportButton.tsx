import { Button, FileButton, Modal } from "@mantine/core";
import { IconPackageImport } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { UploadProgress } from "../files/UploadProgress";
import { useMay } from "../session/session";
import { uploadBundle } from "../submit/uploading";
import { useUpload } from "../submit/useUpload";

/** Takes in an execution from a bundle, with its history, log and files, and leads to it. */
export function ImportButton() {
  const navigate = useNavigate();
  const maySubmit = useMay("submit");
  const { upload, start } = useUpload(uploadBundle, ({ id }) => {
    void navigate({ to: "/executions/$id", params: { id } });
  });
  const reset = useRef<() => void>(null);
  if (!maySubmit) return null;
  return (
    <>
      <FileButton
        resetRef={reset}
        accept=".zip,application/zip"
        onChange={(file) => {
          if (file) start(file);
          // The same one may be chosen once more.
          reset.current?.();
        }}
      >
        {(props) => (
          <Button {...props} variant="default" leftSection={<IconPackageImport size={16} />}>
            Import
          </Button>
        )}
      </FileButton>
      {upload && (
        <Modal opened onClose={upload.cancel} title="Import a bundle" closeOnClickOutside={false}>
          <UploadProgress upload={upload} />
        </Modal>
      )}
    </>
  );
}
