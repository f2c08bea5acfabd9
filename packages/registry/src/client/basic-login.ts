/** What `Authorization` has for a name and a password (RFC 7617). */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** An address without the login in it, which is for its own server alone, and that login; `undefined`: it has none. */
export function splitLogin(address: URL): { readonly url: URL; readonly authorization: string | undefined } {
  const { username, password } = address;
  const url = new URL(address);
  url.username = "";
  url.password = "";
  const isThere = username !== "" || password !== "";
  return { url, authorization: isThere ? basicHeader(decoded(username), decoded(password)) : undefined };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // it is no UTF-8, or no escape
  }
}
