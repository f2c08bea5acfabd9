/** Numbers that a running registry gives to Prometheus. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #facts: () => Readonly<Record<string, number>>;
  #sentBytes = 0;
  #totalMs = 0;

  /** @param facts numbers of now, by name */
  constructor(facts: () => Readonly<Record<string, number>>) {
    this.#facts = facts;
  }

  count(method: string, status: number, ms: number): void {
    const known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].includes(method) ? method : "other";
    const key = `method="${known}",status="${status}"`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    this.#totalMs += ms;
  }

  addSent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** Prometheus' text format 0.0.4. */
  text(): string {
    const lines = [
      "# TYPE hawser_registry_requests_total counter",
      ...[...this.#requests].map(([labels, count]) => `hawser_registry_requests_total{${labels}} ${count}`),
      "# TYPE hawser_registry_request_seconds_total counter",
      `hawser_registry_request_seconds_total ${this.#totalMs / 1000}`,
      "# TYPE hawser_registry_blob_sent_bytes_total counter",
      `hawser_registry_blob_sent_bytes_total ${this.#sentBytes}`,
    ];
    for (const [name, value] of Object.entries(this.#facts())) {
      lines.push(`# TYPE hawser_registry_${name} gauge`, `hawser_registry_${name} ${value}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
