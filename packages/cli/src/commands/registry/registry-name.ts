/** The registry that a user means: its host, `docker.io` for Docker Hub and for nothing at all. */
export function registryOf(text: string): string {
  const host = text.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  return ["", "index.docker.io", "registry-1.docker.io", "docker.io"].includes(host) ? "docker.io" : host;
}
