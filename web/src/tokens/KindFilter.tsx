import { SegmentedControl } from "@mantine/core";
import { isKind, type Kind } from "./granting";

const ALL = "all";
const WORDS: Record<Kind | typeof ALL, string> = {
  all: "All",
  token: "Tokens",
  session: "Sessions",
  oidc: "Issuer’s",
};
const CHOICES = Object.entries(WORDS).map(([value, label]) => ({ value, label }));

interface KindFilterProps {
  kind: Kind | undefined;
  onChange: (kind: Kind | undefined) => void;
}

/** Of which kind: sessions are browsers that are logged in. */
export function KindFilter({ kind, onChange }: KindFilterProps) {
  return (
    <SegmentedControl
      aria-label="Kind"
      data={CHOICES}
      value={kind ?? ALL}
      onChange={(value) => onChange(isKind(value) ? value : undefined)}
    />
  );
}
