/** The names that a container can ask for, as the engine knows them at this moment. */
export interface NameZone {
  /** Addresses of a name, in lower case and without the last dot; `undefined` when it is nobody's here. */
  lookup(name: string): readonly string[] | undefined;
  /** The name of an address, without the last dot; `undefined` when it is nobody's here. */
  reverse(address: string): string | undefined;
}
