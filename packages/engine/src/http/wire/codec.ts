/** Gives a value its type, or refuses it; `path` names its place for the message (`HostConfig.Memory`). */
export type Decoder<T> = (value: unknown, path: string) => T;
