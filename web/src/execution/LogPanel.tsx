import { useLayoutEffect, useRef, useState } from "react";
import { LogView } from "../logs/LogView";
import classes from "./Execution.module.css";

/** Its log, in what is left of the window below the rest of the page. */
export function LogPanel({ id }: { id: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setTop((place.current?.getBoundingClientRect().top ?? 0) + scrollY);
    measure();
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);
  return (
    <div ref={place} className={classes.log} style={{ "--top": `${top}px` }}>
      <LogView executionId={id} />
    </div>
  );
}
