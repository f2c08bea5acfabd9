import type { TarSource } from "@hawser/base";

/** The root file system of the `busybox` image: Docker Hub's folders, accounts and `/bin`, every applet a hard link. */
export function busyboxFiles(from: {
  readonly program: Uint8Array;
  readonly applets: readonly string[];
}): TarSource[] {
  const file = (path: string, content: string, mode = 0o644): TarSource => ({
    path,
    type: "file",
    mode,
    content: Buffer.from(content),
  });
  return [
    { path: "bin", type: "directory" },
    { path: "bin/busybox", type: "file", mode: 0o755, content: from.program },
    ...from.applets.map(
      (name): TarSource => ({ path: `bin/${name}`, type: "hardlink", mode: 0o755, linkPath: "bin/busybox" }),
    ),
    { path: "dev", type: "directory" },
    { path: "etc", type: "directory" },
    file("etc/group", lines(groups)),
    file("etc/passwd", lines(accounts)),
    file("etc/shadow", lines(accounts.map((account) => `${account.split(":", 1)[0]}:*:::::::`)), 0o640),
    { path: "home", type: "directory", uid: 65534, gid: 65534 },
    { path: "root", type: "directory", mode: 0o700 },
    { path: "tmp", type: "directory", mode: 0o1777 },
    { path: "usr", type: "directory" },
    { path: "usr/bin", type: "directory" },
    { path: "usr/bin/env", type: "symlink", linkPath: "../../bin/env" },
    { path: "usr/sbin", type: "directory", uid: 1, gid: 1 },
    { path: "var", type: "directory" },
    { path: "var/spool", type: "directory" },
    { path: "var/spool/mail", type: "directory", uid: 8, gid: 8 },
    { path: "var/www", type: "directory", uid: 33, gid: 33 },
  ];
}

const accounts = [
  "root:x:0:0:root:/root:/bin/sh",
  "daemon:x:1:1:daemon:/usr/sbin:/bin/false",
  "bin:x:2:2:bin:/bin:/bin/false",
  "sys:x:3:3:sys:/dev:/bin/false",
  "sync:x:4:100:sync:/bin:/bin/sync",
  "mail:x:8:8:mail:/var/spool/mail:/bin/false",
  "www-data:x:33:33:www-data:/var/www:/bin/false",
  "operator:x:37:37:Operator:/var:/bin/false",
  "nobody:x:65534:65534:nobody:/home:/bin/false",
];

const groups = [
  "root:x:0:",
  "daemon:x:1:",
  "bin:x:2:",
  "sys:x:3:",
  "adm:x:4:",
  "tty:x:5:",
  "disk:x:6:",
  "lp:x:7:",
  "mail:x:8:",
  "kmem:x:9:",
  "wheel:x:10:root",
  "cdrom:x:11:",
  "dialout:x:18:",
  "floppy:x:19:",
  "video:x:28:",
  "audio:x:29:",
  "tape:x:32:",
  "www-data:x:33:",
  "operator:x:37:",
  "utmp:x:43:",
  "plugdev:x:46:",
  "staff:x:50:",
  "lock:x:54:",
  "netdev:x:82:",
  "users:x:100:",
  "nobody:x:65534:",
];

function lines(of: readonly string[]): string {
  return `${of.join("\n")}\n`;
}
