import { Button, Group, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { asProblem } from "../api/problem";
import { guestToken } from "../session/guest";
import { ProblemView } from "../ui/ProblemView";
import { NotShown } from "./NotShown";
import { shareQuery } from "./queries";
import { SharedExecution } from "./SharedExecution";
import { SharedFrame } from "./SharedFrame";

const route = getRouteApi("/shared/$id");

/** What whoever has the link of a share sees: one execution, to look at and to download. */
export function SharedPage() {
  const { id } = route.useParams();
  if (guestToken()) return <Opened id={id} />;
  return (
    <SharedFrame id={id}>
      <NotShown
        title="The link is not whole"
        text="Its end is missing: what stands behind # says that one may look."
      />
    </SharedFrame>
  );
}

function Opened({ id }: { id: string }) {
  const { data: share, error, refetch, isFetching } = useQuery(shareQuery(id));
  const { status, hint } = asProblem(error);
  const isOver = status === 401 || status === 404;
  if (share && !isOver) return <SharedExecution id={id} share={share} />;
  if (error && isOver)
    return (
      <SharedFrame id={id}>
        <NotShown title={share ? "It is shared no longer" : "This link shows nothing"} text={hint ?? ""} />
      </SharedFrame>
    );
  return (
    <SharedFrame id={id}>
      <ProblemView error={error} />
      {error ? (
        <Group mt="sm">
          <Button variant="default" onClick={() => void refetch()} loading={isFetching}>
            Try again
          </Button>
        </Group>
      ) : (
        <Skeleton h={320} />
      )}
    </SharedFrame>
  );
}
