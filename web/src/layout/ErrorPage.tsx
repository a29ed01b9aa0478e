import { Button } from "@mantine/core";
import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { ProblemView } from "../ui/ProblemView";
import { Page } from "./Page";

/** In place of a page that failed. The rest goes on. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <Page title="This page cannot be shown">
      <ProblemView error={error} />
      <div>
        <Button
          variant="default"
          onClick={() => {
            reset();
            void router.invalidate();
          }}
        >
          Try again
        </Button>
      </div>
    </Page>
  );
}
