import { useConnection } from "../live/live";
import { ConnectionMark } from "./ConnectionMark";

/** How the events of this tab come. */
export function ConnectionDot() {
  return <ConnectionMark connection={useConnection()} />;
}
