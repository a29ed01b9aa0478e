import { Overtaken } from "../api/changing";
import { OvertakenView } from "./OvertakenView";
import { ProblemView } from "./ProblemView";

interface ChangeProblemProps<Thing> {
  /** Whatever `changeTogether` threw; null shows nothing. */
  error: unknown;
  /** Fields whose errors stand beside their inputs already. */
  shownFields?: readonly string[];
  nameOf?: (field: string) => string;
  /** Do it all the same, to the thing as it is now. */
  onAgain(now: Thing): void;
  /** Do without what was wanted. */
  onLeave(): void;
}

/** Why a change was not made: somebody else was faster, or the API refuses it. */
export function ChangeProblem<Thing>(props: ChangeProblemProps<Thing>) {
  const { error, shownFields = [], nameOf, onAgain, onLeave } = props;
  if (!(error instanceof Overtaken)) return <ProblemView error={error} shownFields={shownFields} />;
  return (
    <OvertakenView
      error={error}
      onAgain={() => onAgain(error.now as Thing)}
      onLeave={onLeave}
      {...(nameOf ? { nameOf } : {})}
    />
  );
}
