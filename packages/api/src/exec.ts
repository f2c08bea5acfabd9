/** Body of `POST /containers/{id}/exec`. */
export interface ExecCreateRequest {
  readonly User?: string;
  readonly Privileged?: boolean;
  readonly Tty?: boolean;
  /** height, width */
  readonly ConsoleSize?: readonly [number, number] | null;
  readonly AttachStdin?: boolean;
  readonly AttachStdout?: boolean;
  readonly AttachStderr?: boolean;
  readonly Detach?: boolean;
  readonly DetachKeys?: string;
  readonly Env?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly Cmd?: readonly string[] | null;
}

export interface ExecCreateResponse {
  readonly Id: string;
}

/** Body of `POST /exec/{id}/start`. */
export interface ExecStartRequest {
  readonly Detach?: boolean;
  readonly Tty?: boolean;
  /** height, width */
  readonly ConsoleSize?: readonly [number, number] | null;
}

/** `GET /exec/{id}/json`. */
export interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly ProcessConfig: {
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[] | null;
    readonly privileged: boolean;
    readonly user?: string;
  };
  readonly OpenStdin: boolean;
  readonly OpenStderr: boolean;
  readonly OpenStdout: boolean;
  readonly CanRemove: boolean;
  readonly ContainerID: string;
  readonly DetachKeys: string;
  readonly Pid: number;
}
