import { Button, Skeleton, Text } from "@mantine/core";
import { IconLock, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { columnsOf } from "./columns";
import { DeleteSecretDialog } from "./DeleteSecretDialog";
import { PutSecretDialog } from "./PutSecretDialog";
import { type Secret, secretsQuery } from "./queries";
import { SecretCard } from "./SecretCard";

/** What is asked for: a new one, or something with one of the list. */
type Asked = { kind: "new" } | { kind: "replace" | "delete"; secret: Secret };

/** Secrets under names: programs get them, and nobody sees them again. */
export function SecretsPage() {
  const query = useQuery(secretsQuery);
  const maySubmit = useMay("submit");
  const [asked, setAsked] = useState<Asked | null>(null);
  const secrets = query.data?.items ?? [];
  const close = () => setAsked(null);
  const acts = maySubmit
    ? {
        onReplace: (secret: Secret) => setAsked({ kind: "replace", secret }),
        onDelete: (secret: Secret) => setAsked({ kind: "delete", secret }),
      }
    : null;
  return (
    <Page
      title="Secrets"
      lead={
        <Text c="dimmed">
          Values that your programs get by their names. Nobody sees one again, and only you can use yours.
        </Text>
      }
      actions={
        maySubmit && (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setAsked({ kind: "new" })}>
            New secret
          </Button>
        )
      }
    >
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        query.data && (
          <DataTable
            label="Secrets"
            rows={secrets}
            columns={columnsOf(acts)}
            rowKey={({ name }) => name}
            card={(secret) => <SecretCard secret={secret} acts={acts} />}
            cardHeight={92}
            empty={
              <EmptyState
                icon={IconLock}
                title="No secret yet"
                text="A password or a token that is kept here is chosen by its name when something is submitted, and hidden in logs."
              />
            }
          />
        )
      )}
      {asked?.kind === "new" && <PutSecretDialog taken={secrets.map(({ name }) => name)} onClose={close} />}
      {asked?.kind === "replace" && <PutSecretDialog secret={asked.secret} onClose={close} />}
      {asked?.kind === "delete" && <DeleteSecretDialog secret={asked.secret} onClose={close} />}
    </Page>
  );
}
