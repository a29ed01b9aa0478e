import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ProblemView } from "../ui/ProblemView";
import classes from "./Outputs.module.css";
import { pictureQuery } from "./queries";
import type { Output } from "./tree";

/** A picture that a program has left; in an `<img>` even an SVG runs nothing. */
export function Picture({ id, output }: { id: string; output: Output }) {
  const { data: blob, error } = useQuery(pictureQuery(id, output));
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    if (!blob) return;
    const made = URL.createObjectURL(blob);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  if (error) return <ProblemView error={error} />;
  if (address === null) return <Skeleton h={240} />;
  return <img className={classes.picture} src={address} alt={output.path} />;
}
