import type { ImageConfig, Platform } from "@hawser/oci";

/** What a Dockerfile is built with. */
export interface PlanRequest {
  /** The Dockerfile's text. */
  readonly source: string;
  /** A stage's name; absent: the last one. */
  readonly target?: string;
  /** By the classic builder's rules: a stage's number is a name of it, and an image that is missing is told as the registry has it. */
  readonly isClassic?: boolean;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** What `ARG SOURCE_DATE_EPOCH` has where nobody gives it a value: seconds since 1970. */
  readonly sourceDate?: string;
  readonly network: "default" | "none" | "host";
  /** Of the result, and of the machine that builds. */
  readonly platform: Platform;
  readonly buildPlatform: Platform;
  /** Whether `.dockerignore` leaves a path of the context out; absent: nothing is known of that. */
  readonly isIgnored?: ((path: string) => boolean) | undefined;
  /** What `RUN` may do beyond its sandbox: `network.host`, `security.insecure`. */
  readonly entitlements: readonly string[];
  /** Images (`docker-image://name`) and folders of the user's (`local:name`) by names of the user's choice. */
  readonly contexts: Readonly<Record<string, string>>;
}

/** An image that a stage begins with. */
export interface BaseImage {
  /** As it is named now, by digest where it is known. */
  readonly reference: string;
  /** Its topmost layer; absent: it has none. */
  readonly chainId?: string;
  readonly config: ImageConfig;
}

/** Finds images. @throws {Fault} `not-found` */
export type ResolveImage = (
  reference: string,
  options: { readonly platform: Platform },
) => Promise<BaseImage>;
