import { Skeleton, useComputedColorScheme } from "@mantine/core";
import { getNonce } from "get-nonce";
import { useEffect, useRef, useState } from "react";
import { ProblemView } from "../ui/ProblemView";
import { partsOf } from "./figures";
import classes from "./Outputs.module.css";

const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, showSendToCloud: false };

/** A Plotly figure. What draws it is large, and is loaded with the first one. */
export function Figure({ value, label }: { value: unknown; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [error, setError] = useState<unknown>(null);
  const [isDrawn, setDrawn] = useState(false);
  const scheme = useComputedColorScheme("light");
  useEffect(() => {
    // A place of its own for each drawing, so that the end of one is not that of the next.
    const element = document.createElement("div");
    element.className = classes.figure ?? "";
    place.current?.append(element);
    const drawn = draw(element, value, scheme);
    drawn.then(() => setDrawn(true)).catch(setError);
    return () => {
      element.remove();
      void drawn.then((undo) => undo()).catch(() => undefined);
    };
  }, [value, scheme]);
  return (
    <>
      <ProblemView error={error} />
      {!isDrawn && !error && <Skeleton h={360} />}
      <div ref={place} role="img" aria-label={`Figure of ${label}`} />
    </>
  );
}

async function draw(element: HTMLElement, value: unknown, scheme: string): Promise<() => void> {
  const plotly = await load();
  const dark = scheme === "dark";
  const { data, layout } = partsOf(value, dark ? "#d3dae1" : "#16202a", dark ? "#2a333c" : "#dfe5ea");
  await plotly.newPlot(element, data, layout, CONFIG);
  const watcher = new ResizeObserver(() => {
    if (element.isConnected && element.clientWidth > 0) plotly.Plots.resize(element);
  });
  watcher.observe(element);
  return () => {
    watcher.disconnect();
    plotly.purge(element);
  };
}

const STYLES = "plotly.js-style-global";

async function load() {
  if (!document.getElementById(STYLES)) {
    // It takes these for its own styles; those that it makes have no nonce, and so are not allowed.
    const styles = document.createElement("style");
    styles.id = STYLES;
    styles.nonce = getNonce() ?? "";
    document.head.append(styles);
  }
  return (await import("plotly.js-basic-dist-min")).default;
}
