/** `node load-forever.ts <root>`: loads, runs on and removes images in a store until it is killed. Needs root. */
import { silentLogger } from "@hawser/base";
import { Store } from "../store.ts";
import { loadImage, testImage } from "./test-images.ts";
import { file } from "./unpack.ts";

const store = await Store.open({ root: process.argv[2] ?? "", log: silentLogger });
process.stdout.write("open\n");
for (let round = 0; ; round++) {
  const name = `image${round % 3}`;
  const layers = [[file("shared", "s".repeat(100_000))], [file(`own${round}`, `${round}`)]];
  await loadImage(store, testImage(name, `${round}`, layers));
  await store.snapshots.prepare(`${process.pid}-${round}`, store.images.resolve(name).chainId);
  process.stdout.write(`loaded ${store.images.resolve(name).id}\n`);
  if (round % 3 === 2) await store.images.remove("image0", { force: true, isUsed: () => undefined });
}
