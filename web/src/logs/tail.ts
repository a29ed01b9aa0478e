import type { Status } from "../api/types";
import { waitAfter } from "../live/feed";
import { asSeen, isGuest } from "../session/guest";
import { sessionEnded } from "../session/login";
import { type End, type Item, type Message, messageOf } from "./frames";
import { type LogQuery, parametersOf } from "./query";

/** How a log is followed: `waiting` is between two tries; after `ended` and `refused` there are no more. */
export type Connection = "connecting" | "live" | "waiting" | "ended" | "refused";

const NOT_AUTHENTICATED = 4401;
const TOO_MANY = 4429;
const REFUSED = 4400;
/** So often it is looked whether the machine slept, and a sleep is whatever takes so much longer. */
const LOOK_EVERY = 5_000;
const SLEPT = 20_000;
/** Failures in a row that a refusal for coming too often is worth. */
const LONG_WAIT = 4;

export interface TailHandlers {
  /** The first greeting: what follows begins behind this seq. */
  onBegin(after: number, status: Status): void;
  /** What comes next, in order, without holes; nothing comes twice. */
  onItems(items: Item[], after: number): void;
  onStatus(status: Status): void;
  onEnd(end: End): void;
  onConnection(connection: Connection): void;
  /** It is not tried again: what was asked for is wrong, or there is no such log. */
  onRefused(code: number, reason: string): void;
}

/** `WS …/tail`, which goes on at the exact line after cuts, restarts of the API and sleep of the machine. */
export class Tail {
  #cursor: number | null = null;
  #socket: WebSocket | null = null;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #seenAt = 0;

  /** Without `after` it begins with the last `tail` records. */
  constructor(
    private readonly execution: string,
    private readonly query: LogQuery,
    private readonly begin: { after: number } | { tail: number },
    private readonly handlers: TailHandlers,
  ) {}

  start(): void {
    addEventListener("online", this.#again);
    document.addEventListener("visibilitychange", this.#wake);
    this.#seenAt = Date.now();
    this.#watch = setInterval(this.#wake, LOOK_EVERY);
    this.#connect();
  }

  stop(): void {
    removeEventListener("online", this.#again);
    document.removeEventListener("visibilitychange", this.#wake);
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    this.#leave();
  }

  /** A connection that was open when the machine fell asleep may be dead without knowing. */
  readonly #wake = (): void => {
    if (document.visibilityState !== "visible") return;
    const slept = Date.now() - this.#seenAt > SLEPT;
    this.#seenAt = Date.now();
    if (slept || !this.#socket) this.#again();
  };

  readonly #again = (): void => {
    this.#failures = 0;
    this.#connect();
  };

  #leave(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#leave();
    this.handlers.onConnection("connecting");
    const socket = new WebSocket(this.#url());
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(messageOf(String(data)));
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  #url(): URL {
    const url = new URL(asSeen(`/v1/executions/${this.execution}/tail`), location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const where = this.#cursor === null ? this.begin : { after: this.#cursor };
    for (const [name, value] of Object.entries({ ...parametersOf(this.query), ...where }))
      url.searchParams.set(name, String(value));
    return url;
  }

  #receive(message: Message | null): void {
    switch (message?.type) {
      case "hello":
        this.#failures = 0;
        this.handlers.onConnection("live");
        if (this.#cursor === null) {
          this.#cursor = message.after;
          this.handlers.onBegin(message.after, message.status);
        }
        this.handlers.onStatus(message.status);
        break;
      case "items":
        this.#cursor = Math.max(this.#cursor ?? 0, message.after);
        this.handlers.onItems(message.items, this.#cursor);
        break;
      case "status":
        this.handlers.onStatus(message.status);
        break;
      case "more":
        this.#cursor = message.more.after;
        this.handlers.onItems([], message.more.after);
        this.#connect();
        break;
      case "end":
        this.handlers.onItems([], message.end.after);
        this.handlers.onEnd(message.end);
        this.#finish("ended");
    }
  }

  #finish(connection: "ended" | "refused"): void {
    this.stop();
    this.handlers.onConnection(connection);
  }

  #closed(code: number, reason: string): void {
    this.#socket = null;
    if (code === NOT_AUTHENTICATED && !isGuest()) sessionEnded();
    else if (code >= REFUSED && code !== TOO_MANY) {
      this.#finish("refused");
      this.handlers.onRefused(code, reason);
      return;
    }
    if (code === TOO_MANY) this.#failures = Math.max(this.#failures, LONG_WAIT);
    this.handlers.onConnection("waiting");
    this.#retry = setTimeout(() => this.#connect(), waitAfter(this.#failures, Math.random()));
    this.#failures += 1;
  }
}
