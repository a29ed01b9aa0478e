import type { Execution } from "../api/types";
import { MoreControl } from "./MoreControl";
import { PauseControl } from "./PauseControl";
import { RerunControl } from "./RerunControl";
import { StopControl } from "./StopControl";

/** What can be done with it. What cannot be done now stays where it is, and says why. */
export function Actions({ record }: { record: Execution }) {
  return (
    <>
      <StopControl record={record} />
      <PauseControl record={record} />
      <RerunControl record={record} />
      <MoreControl record={record} />
    </>
  );
}
