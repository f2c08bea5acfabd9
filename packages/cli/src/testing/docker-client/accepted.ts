import type { Accepted } from "./compare.ts";

const swarm = "volumes of swarm clusters are not known here";
const slip = "a slip of docker's, which its own other commands do not make";
const more = "Hawser's own";
const newer = "in the words of Docker 29";

/** The list only shrinks: an entry that nothing needs fails the test. The first that fits counts. */
export const accepted: readonly Accepted[] = [
  { call: "builder --help", part: "command build", reason: "accepted, and not shown: it is `image build`" },
  { call: "system --help", part: "command df", reason: "there is nothing of Hawser's in it but the name" },
  { call: "system df --help", part: "text", reason: "as above" },
  { call: "volume --help", part: "command update", reason: swarm },
  { call: "volume create --help", part: "--*", reason: swarm },
  { call: "volume ls --help", part: "--cluster", reason: swarm },
  { call: "volume --help", part: "command *", reason: more },
  { call: "builder --help", part: "command *", reason: more },
  { call: "container update --help", part: "--publish-*", reason: more },
  { call: "container update --publish-*", part: "stderr", reason: more },
  {
    call: "image ls --help",
    part: "--tree",
    reason: "accepted, refused in words, and not shown: an image here is for one platform",
  },
  { call: "* --mount=:no=", part: "stderr", reason: newer },
  { call: "image ls a a", part: "stderr", reason: slip },
  { call: "volume create a a", part: "stderr", reason: slip },
  { call: "context use*", part: "stderr", reason: slip },
  { call: "network rm nope", part: "stderr", reason: slip },
  {
    call: "system prune --filter=:no=",
    part: "stdout",
    reason: "a filter without a name is shown, and refused by the engine",
  },
  {
    call: "container ls --all --format table {{.Platform}}*",
    part: "stderr",
    reason: "Go's name for what is not there",
  },
  { call: "system df -v --format {{.Nope}}", part: "stderr", reason: "Go's name for the four lists" },
];
