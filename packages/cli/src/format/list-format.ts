import { escapeHtmlJson, Fault } from "@hawser/base";
import {
  GoMap,
  GoStruct,
  type GoValue,
  noField,
  openTemplate,
  type Template,
  templateFaults,
  templateFunctions,
} from "@hawser/base/template";
import { alignColumns } from "./table-writer.ts";

/** One thing that a list can show of its rows, under the name that templates use. */
export interface Field<Row> {
  readonly header: string;
  readonly value: (row: Row) => GoValue;
  /** What `{{json .}}` has; default: `value`. */
  readonly json?: (row: Row) => GoValue;
  /** Not part of `{{json .}}`: it needs an argument. */
  readonly method?: boolean;
}

export interface ListLayout<Row> {
  readonly fields: Readonly<Record<string, Field<Row>>>;
  /** Docker's name for the rows' type, in its messages; it may have one for each row. */
  readonly typeName: string | ((row: Row) => string);
  /** What `table` alone means, a template. */
  readonly table: string;
  /** What `raw` means, a template; absent: just that word. */
  readonly raw?: string;
}

/**
 * A list as `--format` asks: `table`, `table TEMPLATE`, `json`, or a template for each row.
 *
 * @throws {Fault} `invalid-argument` for a template that does not parse or run.
 */
export function formatList<Row>(rows: readonly Row[], layout: ListLayout<Row>, format: string): string {
  const { isTable, source } = templateOf(format, layout);
  const template = parseRowTemplate(source);
  let text = "";
  for (const row of rows) text += `${runRow(template, rowValue(row, layout))}\n`;
  if (!isTable) return text;
  const header = openTemplate(source, { functions: headerFunctions }).run(headerValue(layout));
  return alignColumns(`${header}\n${text}`);
}

/** One that is wrong is a failure as any other in lists: not the exit code that `inspect` has for it. */
function parseRowTemplate(source: string): Template {
  try {
    return openTemplate(source);
  } catch (error) {
    throw templateFaults.TEMPLATE_FAILED(Fault.from(error).message).because(error);
  }
}

/**
 * Whether a template that is to be run on a list fits its rows, as `ps` asks before there are any.
 *
 * @throws {Fault} `invalid-argument`, Docker's words
 */
export function checkRowFormat<Row>(row: Row, layout: ListLayout<Row>, format: string): void {
  let template: Template;
  try {
    template = openTemplate(format);
  } catch (error) {
    const words = Fault.from(error).message.replace(/^template parsing error: /, "");
    throw templateFaults.TEMPLATE_FAILED(`failed to parse template: ${words}`).because(error);
  }
  try {
    template.run(rowValue(row, layout));
  } catch (error) {
    throw templateFaults.TEMPLATE_FAILED(`failed to execute template: ${Fault.from(error).message}`);
  }
}

function runRow(template: Template, row: GoValue): string {
  try {
    return template.run(row);
  } catch (error) {
    throw templateFaults.TEMPLATE_FAILED(`template parsing error: ${Fault.from(error).message}`);
  }
}

function templateOf<Row>(
  format: string,
  layout: ListLayout<Row>,
): { readonly isTable: boolean; readonly source: string } {
  const isTable = format === "table" || format.startsWith("table ");
  const given = format === "json" ? "{{json .}}" : isTable ? format.slice("table".length).trim() : format;
  const raw = format === "raw" ? layout.raw : undefined;
  const source = raw ?? (isTable && given === "" ? layout.table : given);
  return { isTable, source: source.replaceAll("\\t", "\t").replaceAll("\\n", "\n") };
}

function rowValue<Row>(row: Row, layout: ListLayout<Row>): GoValue {
  const plain = () => Object.entries(layout.fields).filter(([, field]) => field.method !== true);
  return new GoStruct(
    (name) => {
      const field = Object.hasOwn(layout.fields, name) ? layout.fields[name] : undefined;
      return field === undefined ? noField : field.value(row);
    },
    {
      json: () =>
        escapeHtmlJson(
          JSON.stringify(
            Object.fromEntries(
              plain()
                .toSorted(([a], [b]) => (a < b ? -1 : 1))
                .map(([name, field]) => [name, (field.json ?? field.value)(row)]),
            ),
          ),
        ),
      values: () => plain().map(([, field]) => field.value(row)),
      describeMissing: (name) => `can't evaluate field ${name} in type ${typeNameOf(row, layout)}`,
    },
  );
}

function typeNameOf<Row>(row: Row, { typeName }: ListLayout<Row>): string {
  return typeof typeName === "string" ? typeName : typeName(row);
}

function headerValue<Row>(layout: ListLayout<Row>): GoValue {
  const headers = new Map<string, GoValue>();
  for (const [name, field] of Object.entries(layout.fields)) {
    headers.set(name, field.method === true ? headerOfArgument : field.header);
  }
  return new GoMap(headers);
}

/** `{{.Label "com.example.some-name"}}` stands under `some name`. */
function headerOfArgument(name: GoValue): GoValue {
  return typeof name === "string" ? (name.split(".").at(-1) ?? "").replace(/[-_]/g, " ") : "";
}

/** In the header line functions leave their text alone. */
const headerFunctions = new Map(templateFunctions);
for (const name of ["json", "title", "lower", "upper", "truncate", "split", "join"]) {
  headerFunctions.set(name, (value) => value);
}
