import { valueError } from "./value-error.ts";

const allowed: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** `name=value` of a kernel setting that a container can have for itself. */
export function checkSysctl(text: string): string {
  const name = text.split("=", 1)[0] ?? "";
  if (text.includes("=") && (allowed.has(name) || /^(net\.|fs\.mqueue\.)/.test(name))) return text;
  throw valueError(`sysctl '${text}' is not allowed`);
}
