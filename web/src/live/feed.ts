import type { Frame, Happening } from "./frames";

export type Connection = "connecting" | "live" | "waiting";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
/** So long do lists wait for the feed before they are fetched: what happens after its `hello` comes by itself. */
const PATIENCE = 2_000;
/** Frames are handed out together, so that a thousand changes are drawn once. */
const GATHERED_FOR = 100;
const NOT_AUTHENTICATED = 4401;
const BAD_PARAMETER = 4400;

export interface FeedHandlers {
  /** What has happened, in order. */
  onHappenings(happenings: Happening[]): void;
  /** Too much has happened, or it is another database: what was fetched may be wrong. */
  onResync(): void;
  onLoggedOut(): void;
}

/** `WS /v1/events`, once per tab: resumes where it was, with growing, jittered waits in between. */
export class Feed {
  #connection: Connection = "connecting";
  #cursor: number | null = null;
  #socket: WebSocket | null = null;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #gathered: Happening[] = [];
  #gathering: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();
  #begin: () => void = () => {};
  /** Resolved when lists may be fetched. */
  readonly settled = new Promise<void>((resolve) => {
    this.#begin = resolve;
  });

  constructor(private readonly handlers: FeedHandlers) {}

  get connection(): Connection {
    return this.#connection;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    setTimeout(this.#begin, PATIENCE);
    addEventListener("online", () => this.connectNow());
    addEventListener("pageshow", (event) => event.persisted && this.connectNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.connectNow();
    });
    this.#connect();
  }

  /** Not to wait for the next try. */
  connectNow(): void {
    if (this.#socket) return;
    this.#failures = 0;
    this.#connect();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    const url = new URL("/v1/events", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#cursor !== null) url.searchParams.set("after", String(this.#cursor));
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data) as Frame);
    socket.onclose = ({ code }) => this.#closed(code);
  }

  #receive(frame: Frame): void {
    if ("cursor" in frame) this.#cursor = frame.cursor;
    switch (frame.type) {
      case "hello":
        this.#failures = 0;
        this.#begin();
        this.#become("live");
        break;
      case "resync":
        this.handlers.onResync();
        break;
      case "execution":
      case "deleted":
      case "batch":
      case "progress":
        this.#gathered.push(frame);
        this.#gathering ??= setTimeout(() => this.#handOut(), GATHERED_FOR);
    }
  }

  #handOut(): void {
    const happenings = this.#gathered;
    this.#gathered = [];
    this.#gathering = undefined;
    this.handlers.onHappenings(happenings);
  }

  #closed(code: number): void {
    this.#socket = null;
    this.#begin();
    if (code === NOT_AUTHENTICATED) this.handlers.onLoggedOut();
    if (code === BAD_PARAMETER) {
      this.#cursor = null;
      this.handlers.onResync();
    }
    this.#become("waiting");
    this.#retry = setTimeout(() => this.#connect(), waitAfter(this.#failures, Math.random()));
    this.#failures += 1;
  }

  #become(connection: Connection): void {
    if (this.#connection === connection) return;
    this.#connection = connection;
    for (const listener of this.#listeners) listener();
  }
}

/** Milliseconds to the next try: twice as long each time, of which half is left to chance. */
export function waitAfter(failures: number, chance: number): number {
  const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures);
  return most * (0.5 + chance / 2);
}
