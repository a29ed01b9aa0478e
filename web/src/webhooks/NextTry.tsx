import { RelativeTime } from "../ui/RelativeTime";
import { useNow } from "../ui/time";

const MOMENT = 5_000;

/** When something is tried next: what is due is not said to be past. */
export function NextTry({ at }: { at: string }) {
  const now = useNow();
  return Date.parse(at) - now < MOMENT ? <span>in a moment</span> : <RelativeTime at={at} />;
}
