import { useEffect, useRef, useState } from "react";
import { isCanceled, reasonOf, type Send, type Upload } from "./uploading";

export interface UploadState {
  name: string;
  bytes: number;
  sent: number;
  /** Why it failed. */
  problem: string | null;
  /** Give it up, or take the news of its failure away. */
  cancel(): void;
}

/** One upload at a time, with its progress. It is given up with the page that began it. */
export function useUpload<Made>(send: Send<Made>, onDone: (made: Made) => void) {
  const [state, setState] = useState<Omit<UploadState, "cancel"> | null>(null);
  const current = useRef<Upload<Made> | null>(null);
  useEffect(() => () => current.current?.cancel(), []);

  function start(file: File): void {
    setState({ name: file.name, bytes: file.size, sent: 0, problem: null });
    const begun = send(file, (sent) =>
      setState((state) => state && { ...state, sent: Math.min(sent, file.size) }),
    );
    current.current = begun;
    begun.done.then(
      (stored) => {
        setState(null);
        onDone(stored);
      },
      (error: unknown) =>
        setState((state) => (isCanceled(error) || !state ? null : { ...state, problem: reasonOf(error) })),
    );
  }

  function cancel(): void {
    current.current?.cancel();
    setState(null);
  }

  return { upload: state && { ...state, cancel }, start };
}
