/** Docker's help text for `--format`. */
export function formatUsage(options: { readonly table?: boolean } = {}): string {
  const table = options.table
    ? "'table':            Print output in table format with column headers (default)\n'table TEMPLATE':   Print output in table format using the given Go template\n"
    : "";
  return `Format output using a custom template:\n${table}'json':             Print in JSON format\n'TEMPLATE':         Print output using the given Go template.\nRefer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`;
}
