/** JSON text with the characters of HTML escaped, as Go's encoder writes it by default. */
export function escapeHtmlJson(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
