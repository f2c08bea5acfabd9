/** A parsed template: text and actions in order. */
export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    }
  | { readonly kind: "break" | "continue" };

/** Commands, each of which is given what the one before gave as its last argument. */
export interface Pipe {
  /** Variables that the result is put into. */
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly TemplateCommand[];
  readonly position: Position;
  /** As written, for messages. */
  readonly text: string;
}

/** A function, method or value, and its arguments. */
export interface TemplateCommand {
  readonly operands: readonly Operand[];
  readonly position: Position;
  readonly text: string;
}

export type Operand =
  | { readonly kind: "dot" | "nil"; readonly position: Position; readonly text: string }
  | {
      readonly kind: "constant";
      readonly value: string | number | bigint | boolean;
      readonly position: Position;
      readonly text: string;
    }
  | { readonly kind: "function"; readonly name: string; readonly position: Position; readonly text: string }
  | {
      readonly kind: "field";
      readonly path: readonly string[];
      readonly position: Position;
      readonly text: string;
    }
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly path: readonly string[];
      readonly position: Position;
      readonly text: string;
    }
  | {
      readonly kind: "pipe";
      readonly pipe: Pipe;
      readonly path: readonly string[];
      readonly position: Position;
      readonly text: string;
    };

/** Line from 1, column in bytes from 0. */
export interface Position {
  readonly line: number;
  readonly column: number;
}
