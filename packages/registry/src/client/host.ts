import type { TlsSettings } from "./transport.ts";

/** What a host may be asked for. containerd, hosts.md, `capabilities`. */
export interface HostCapabilities {
  /** Content by its digest. */
  readonly pull: boolean;
  /** What a tag means. */
  readonly resolve: boolean;
  readonly push: boolean;
}

/** A place where the content of a registry can be had. */
export interface RegistryHost {
  /** Up to and with `/v2`, without a slash at the end; several: the first that answers. */
  readonly bases: readonly [string, ...string[]];
  readonly capabilities: HostCapabilities;
  readonly tls: TlsSettings;
  /** Sent with every request to this host, and nowhere else. */
  readonly headers: Readonly<Record<string, string>>;
  /** The registry itself, not a mirror: its credentials may be sent there. */
  readonly isOrigin: boolean;
}

export const allCapabilities: HostCapabilities = { pull: true, resolve: true, push: true };

/** What the engine's configuration says of registries. */
export interface RegistrySettings {
  /** `registry-mirrors`: addresses of mirrors of Docker Hub, in order. */
  readonly mirrors: readonly string[];
  /** `insecure-registries`: `host[:port]`, or networks as `10.0.0.0/8`. Loopback always is. */
  readonly insecure: readonly string[];
  /**
   * Folders with one folder per registry (`example.org:5000`), which has a `hosts.toml` as containerd reads it, or Docker's
   * `*.crt`, `*.cert` and `*.key`. The first that has the registry counts.
   */
  readonly hostFolders: readonly string[];
}
