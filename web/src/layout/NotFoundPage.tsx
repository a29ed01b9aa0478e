import { IconMapOff } from "@tabler/icons-react";
import { ButtonLink } from "../ui/ButtonLink";
import { EmptyState } from "../ui/EmptyState";
import { Page } from "./Page";

/** For addresses that no page has. */
export function NotFoundPage() {
  return (
    <Page title="No such page">
      <EmptyState
        icon={IconMapOff}
        title="There is no such page"
        text="The address may be mistyped, or what was here has been deleted."
        action={
          <ButtonLink to="/" variant="default">
            To the start
          </ButtonLink>
        }
      />
    </Page>
  );
}
