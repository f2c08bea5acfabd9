/** What `GET /events` sends, one JSON document a line. */
export interface EventMessage {
  /** `container`, `image`, `network`, `volume`, `daemon`, ... */
  readonly Type: string;
  readonly Action: string;
  readonly Actor: EventActor;
  readonly scope: "local" | "swarm";
  /** Seconds since 1970. */
  readonly time: number;
  /** Nanoseconds since 1970. Rounded to what a double holds when read with `JSON.parse`. */
  readonly timeNano: number;
  /** Before API 1.52: for events of containers and images, as `Actor.ID`, `Action` and `Actor.Attributes.image`. */
  readonly id?: string;
  readonly status?: string;
  readonly from?: string;
}

export interface EventActor {
  readonly ID: string;
  readonly Attributes: Readonly<Record<string, string>>;
}
