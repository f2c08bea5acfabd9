/** What the engine keeps of a volume. Its data is in a folder of its name: `docs/contracts/state-on-disk.md`. */
export interface VolumeRecord {
  readonly name: string;
  readonly createdAtMs: number;
  /** The plugin that has it; absent: the engine itself. */
  readonly driver?: string;
  /** Absent: none were given, which Docker tells from none. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
  /** The number of the project whose quota is its option `size`; absent: no bound. */
  readonly project?: number;
  /** It was made for a container that gave it no name. */
  readonly anonymous: boolean;
  /**
   * It lives as long as this container: set while the container is not on record yet, or is being removed together with its
   * volumes. An engine that finds such a volume without the container removes it.
   */
  readonly boundTo?: string;
}

/** What clients call the driver of volumes that the engine has itself. */
export const localDriver = "local";

/** Docker's mark for a volume that nobody named. */
export const anonymousLabel = "com.docker.volume.anonymous";
