import { useLocalStorage } from "@mantine/hooks";
import type { Times } from "./moment";

/** How somebody likes to read logs; kept in their browser. */
export interface Preferences {
  wrap: boolean;
  numbers: boolean;
  times: Times;
}

const DEFAULTS: Preferences = { wrap: false, numbers: true, times: "off" };

export function usePreferences(): [Preferences, (change: Partial<Preferences>) => void] {
  const [kept, keep] = useLocalStorage<Partial<Preferences>>({
    key: "tailrace.log",
    defaultValue: {},
    getInitialValueInEffect: false,
  });
  const preferences = { ...DEFAULTS, ...kept };
  return [preferences, (change) => keep({ ...preferences, ...change })];
}
