import type { RestartPolicy } from "@hawser/api";
import { valueError } from "./value-error.ts";

/** `no`, `always`, `unless-stopped`, `on-failure[:times]`; the engine refuses other names. */
export function parseRestartPolicy(text: string): RestartPolicy {
  if (text === "") return { Name: "", MaximumRetryCount: 0 };
  const at = text.indexOf(":");
  const name = at < 0 ? text : text.slice(0, at);
  const count = at < 0 ? "" : text.slice(at + 1);
  if (at >= 0 && name === "")
    throw valueError("invalid restart policy format: no policy provided before colon");
  if (count !== "" && !/^[+-]?\d{1,9}$/.test(count)) {
    throw valueError("invalid restart policy format: maximum retry count must be an integer");
  }
  return { Name: name, MaximumRetryCount: count === "" ? 0 : Number(count) };
}
