/**
 * One command line option. The table of a command's options (`FlagTable`) is all that the parser, the help text and the
 * types of the values are made from.
 */
export interface Flag<T> {
  /** What help calls the value (`string`, `list`); empty for switches. */
  readonly typeName: string;
  readonly short?: string;
  readonly usage: string;
  /** The value when the option is not given. */
  readonly initial: T;
  /** Shown by help as `(default …)`; absent: not shown. */
  readonly shownDefault?: string;
  /** What the option means without a value; absent: the value is the next argument. */
  readonly withoutValue?: string;
  /** Accepted, not shown. */
  readonly hidden?: boolean;
  /** What to use instead; told when the option is given. Not shown. */
  readonly deprecated?: string;
  /**
   * The value after the option was given once more. A method, so that tables of options of different types are tables.
   *
   * @throws {Error} whose message says what is wrong with `text`, in the words of Docker's parser.
   */
  parse(text: string, before: T): T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The values of a table's options, by name. */
export type FlagValues<F extends FlagTable> = {
  readonly [Name in keyof F]: F[Name] extends Flag<infer T> ? T : never;
};

/** What of an option is not its type. */
export interface FlagText {
  readonly short?: string;
  readonly hidden?: boolean;
  readonly deprecated?: string;
}
