import { IconHammer } from "@tabler/icons-react";
import { Page } from "../layout/Page";
import { EmptyState } from "../ui/EmptyState";

export function WebhooksPage() {
  return (
    <Page title="Webhooks">
      <EmptyState
        icon={IconHammer}
        title="Not here yet"
        text="The API has all of it: see its reference at /docs."
      />
    </Page>
  );
}
