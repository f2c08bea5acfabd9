import { type GoFunction, GoMap, GoStruct, type GoValue, NoFieldError } from "./go-value.ts";
import { parseTemplate } from "./parse-template.ts";
import { goTypeName, printValue } from "./print-value.ts";
import { templateFaults } from "./template-faults.ts";
import { argumentCounts, CallError, isTrue, templateFunctions } from "./template-functions.ts";
import type { Operand, Pipe, Position, TemplateCommand, TemplateNode } from "./template-node.ts";

/** A parsed output format. */
export interface Template {
  /**
   * The text for one value.
   *
   * @throws {Fault} `invalid-argument` in Go's words, with the place in the template.
   */
  run(dot: GoValue): string;
}

export interface TemplateOptions {
  /** Stands in messages; Docker's is mostly empty. */
  readonly name?: string;
  readonly functions?: ReadonlyMap<string, GoFunction>;
}

/**
 * Parse an output format in the language of Go's `text/template`.
 *
 * @throws {Fault} `invalid-argument` in Go's words
 */
export function openTemplate(source: string, options: TemplateOptions = {}): Template {
  const { name = "", functions = templateFunctions } = options;
  const nodes = parseTemplate(source, { name, functions: new Set(functions.keys()) });
  return { run: (dot) => new TemplateRun({ name, functions, dot }).text(nodes) };
}

/** A method is called where it stands, with no arguments, unless its caller has some for it. */
interface OperandOptions {
  readonly method?: boolean;
}

const asMethod: OperandOptions = { method: true };

/** Output beyond this is a runaway template. */
const maxOutputChars = 64 << 20;

class TemplateRun {
  readonly #name: string;
  readonly #functions: ReadonlyMap<string, GoFunction>;
  #variables: { readonly name: string; value: GoValue }[];
  #dot: GoValue;
  #out = "";

  constructor(options: {
    readonly name: string;
    readonly functions: ReadonlyMap<string, GoFunction>;
    readonly dot: GoValue;
  }) {
    this.#name = options.name;
    this.#functions = options.functions;
    this.#dot = options.dot;
    this.#variables = [{ name: "$", value: options.dot }];
  }

  text(nodes: readonly TemplateNode[]): string {
    this.#walk(nodes);
    return this.#out;
  }

  #walk(nodes: readonly TemplateNode[]): "break" | "continue" | undefined {
    for (const node of nodes) {
      switch (node.kind) {
        case "text":
          this.#write(node.text);
          break;
        case "action": {
          const value = this.#pipe(node.pipe);
          if (node.pipe.variables.length === 0) this.#write(printValue(value));
          break;
        }
        case "break":
        case "continue":
          return node.kind;
        case "if":
        case "with":
        case "range": {
          const scope = this.#variables.length;
          const dot = this.#dot;
          const stop = node.kind === "range" ? this.#range(node) : this.#branch(node);
          this.#dot = dot;
          this.#variables.length = scope;
          if (stop !== undefined) return stop;
        }
      }
    }
    return undefined;
  }

  #branch(node: TemplateNode & { readonly kind: "if" | "with" | "range" }) {
    const value = this.#pipe(node.pipe);
    if (!isTrue(value)) return this.#walk(node.otherwise);
    if (node.kind === "with") this.#dot = value;
    return this.#walk(node.body);
  }

  #range(node: TemplateNode & { readonly kind: "if" | "with" | "range" }): undefined {
    const { variables, assigns } = node.pipe;
    const value = this.#pipe({ ...node.pipe, variables: [] });
    const items = this.#items(value, node.pipe);
    if (items.length === 0) {
      this.#walk(node.otherwise);
      return undefined;
    }
    const scope = this.#variables.length;
    for (const [key, item] of items) {
      this.#variables.length = scope;
      const [first, second] = variables;
      if (second !== undefined) {
        this.#bind(first ?? "", key, assigns);
        this.#bind(second, item, assigns);
      } else if (first !== undefined) this.#bind(first, item, assigns);
      this.#dot = item;
      if (this.#walk(node.body) === "break") break;
    }
    return undefined;
  }

  #items(value: GoValue, pipe: Pipe): readonly (readonly [GoValue, GoValue])[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return (value as readonly GoValue[]).map((item, at) => [at, item] as const);
    if (value instanceof GoMap) return value.sorted;
    if (typeof value === "number" && Number.isInteger(value)) {
      const count = Math.max(0, Math.min(value, maxOutputChars));
      return Array.from({ length: count }, (_, at) => [at, at] as const);
    }
    throw this.#fail(pipe, `range can't iterate over ${printValue(value)}`);
  }

  #pipe(pipe: Pipe): GoValue {
    let value: GoValue;
    let first = true;
    for (const command of pipe.commands) {
      value = this.#command(command, first ? [] : [value]);
      first = false;
    }
    for (const name of pipe.variables) this.#bind(name, value, pipe.assigns);
    return value;
  }

  #bind(name: string, value: GoValue, assigns: boolean): void {
    if (!assigns) {
      this.#variables.push({ name, value });
      return;
    }
    const variable = this.#variables.findLast((known) => known.name === name);
    if (variable !== undefined) variable.value = value;
  }

  #command(command: TemplateCommand, piped: readonly GoValue[]): GoValue {
    const head = command.operands[0];
    if (head === undefined) return undefined;
    if (head.kind === "function") return this.#call(head, command.operands.slice(1), { command, piped });
    const hasArguments = command.operands.length > 1 || piped.length > 0;
    if (head.kind === "field" || head.kind === "variable" || head.kind === "pipe") {
      const value = this.#operand(head, asMethod);
      if (typeof value === "function") {
        const args = [...command.operands.slice(1).map((operand) => this.#operand(operand)), ...piped];
        return this.#guard(head, () => value(...args));
      }
      if (hasArguments) {
        throw this.#fail(head, `${lastName(head)} has arguments but cannot be invoked as function`);
      }
      return value;
    }
    if (hasArguments) {
      throw this.#fail(head, `can't give argument to non-function ${head.text}`);
    }
    return this.#operand(head);
  }

  #call(
    head: Operand & { readonly kind: "function" },
    operands: readonly Operand[],
    options: { readonly command: TemplateCommand; readonly piped: readonly GoValue[] },
  ): GoValue {
    const { name } = head;
    const count = operands.length + options.piped.length;
    const [min, max] = argumentCounts.get(name) ?? [0, Number.POSITIVE_INFINITY];
    if (count < min || count > max) {
      const want = min === max ? `${min}` : `at least ${min}`;
      throw this.#fail(head, `wrong number of args for ${name}: want ${want} got ${count}`);
    }
    if (name === "and" || name === "or") {
      let value: GoValue;
      for (const operand of operands) {
        value = this.#operand(operand);
        if (isTrue(value) === (name === "or")) return value;
      }
      return options.piped.length > 0 ? options.piped[0] : value;
    }
    const args = [...operands.map((operand) => this.#operand(operand)), ...options.piped];
    const call = this.#functions.get(name);
    try {
      return call?.(...args);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      const { argument } = error;
      const wrong = argument && operands[args.indexOf(argument.value)];
      throw this.#fail(wrong ?? { ...head, text: options.command.text }, error.message);
    }
  }

  #operand(operand: Operand, options: OperandOptions = {}): GoValue {
    switch (operand.kind) {
      case "dot":
        return this.#dot;
      case "nil":
        return null;
      case "constant":
        return operand.value;
      case "function":
        return this.#call(operand, [], {
          command: { operands: [operand], position: operand.position, text: operand.text },
          piped: [],
        });
      case "field":
        return this.#walkPath(this.#dot, operand, options);
      case "variable": {
        const variable = this.#variables.findLast(({ name }) => name === operand.name);
        return this.#walkPath(variable?.value, operand, options);
      }
      case "pipe":
        return this.#walkPath(this.#pipe(operand.pipe), operand, options);
    }
  }

  #walkPath(
    start: GoValue,
    operand: Operand & { readonly path: readonly string[] },
    options: OperandOptions,
  ): GoValue {
    let value = start;
    for (const name of operand.path) value = this.#field(value, name, operand);
    return typeof value === "function" && options.method !== true ? this.#guard(operand, value) : value;
  }

  #field(value: GoValue, name: string, operand: Operand): GoValue {
    if (value instanceof GoStruct) return this.#guard(operand, () => value.get(name));
    if (value instanceof GoMap) return value.entries.get(name);
    if (value === undefined || value === null) {
      throw this.#fail(operand, `nil pointer evaluating interface {}.${name}`);
    }
    throw this.#fail(operand, `can't evaluate field ${name} in type ${goTypeName(value)}`);
  }

  #guard(operand: { readonly position: Position; readonly text: string }, action: () => GoValue): GoValue {
    try {
      return action();
    } catch (error) {
      if (error instanceof NoFieldError || error instanceof CallError)
        throw this.#fail(operand, error.message);
      throw error;
    }
  }

  #fail(at: { readonly position: Position; readonly text: string }, words: string): Error {
    const place = `${this.#name}:${at.position.line}:${at.position.column}`;
    const shown = at.text.length > 20 ? `${at.text.slice(0, 20)}...` : at.text;
    return templateFaults.TEMPLATE_FAILED(
      `template: ${place}: executing "${this.#name}" at <${shown}>: ${words}`,
    );
  }

  #write(text: string): void {
    this.#out += text;
    if (this.#out.length > maxOutputChars) throw templateFaults.TEMPLATE_FAILED("the output has no end");
  }
}

function lastName(operand: Operand & { readonly path: readonly string[] }): string {
  return operand.path.at(-1) ?? operand.text;
}
