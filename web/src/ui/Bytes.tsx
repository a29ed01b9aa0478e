const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** A size as people read it: `512 B`, `1.5 MiB`. */
export function spellBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${UNITS[power]}`;
}

/** A size; a dash where there is none. */
export function Bytes({ value }: { value: number | null | undefined }) {
  if (value == null) return <span>–</span>;
  return (
    <span className="tabular" title={`${value.toLocaleString()} bytes`}>
      {spellBytes(value)}
    </span>
  );
}
