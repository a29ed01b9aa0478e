import { Text, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ProblemView } from "../ui/ProblemView";
import { Coming } from "./Coming";
import { previewQuery } from "./queries";
import { inWords, type Rule } from "./rules";

const TYPED_FOR = 400;

/** A rule in words, and the next ten times that it fires, as the API reckons them while it is typed. */
export function Upcoming({ rule }: { rule: Rule }) {
  const [settled] = useDebouncedValue(rule, TYPED_FOR);
  const preview = useQuery({ ...previewQuery(settled), placeholderData: keepPreviousData });
  return (
    <section aria-label="Next times">
      <Title order={2} fz="md">
        Next times
      </Title>
      <Text fz="sm" c="dimmed" mb="sm">
        {inWords(rule)}
      </Text>
      {preview.error ? (
        <ProblemView error={preview.error} />
      ) : (
        preview.data && <Coming firings={preview.data.items} />
      )}
      {preview.data?.items.length === 0 && !preview.error && (
        <Text c="dimmed">None: it is over by then.</Text>
      )}
    </section>
  );
}
