#!/bin/sh
# Makes this working tree ready to run: system packages, Node, npm packages, native programs, bundles, built-in images.
#
#   tools/setup.sh [--verbose] [--tests]
#
# npm's packages come while the system's are installed, where npm is there already, and what only tests need while the product
# is built.
#
# Each step is skipped when what it was made from has not changed (build/setup/<step> holds the digest), so an interrupted
# set-up goes on where it stopped; a step that fails leaves no digest. One set-up at a time per tree; a second one waits
# (the steps' programs inherit the lock: what an interrupted set-up left running is waited for too).
# build/setup/ready, written last and whole, holds Node's path and the tree's own; its time is the start of the set-up, so
# that a source changed meanwhile is seen as newer. With --tests also what the test suite needs beyond the product.
# Standard output stays empty: the words go to standard error.
set -u
top=$(cd -- "$(dirname -- "$0")/.." && pwd)
cd -- "$top" || exit 1
state=build/setup
verbose=
tests=
for argument in "$@"; do
  case $argument in
  --verbose) verbose=1 ;;
  --tests) tests=1 ;;
  *) echo "hawser: set-up: unknown option \"$argument\"" >&2 && exit 2 ;;
  esac
done

say() { printf 'hawser: %s\n' "$*" >&2; }
die() {
  printf 'hawser: set-up stopped: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '        %s\n' "$line" >&2; done
  exit 1
}
now() { date +%s%N; }
seconds() { awk "BEGIN { printf \"%.1f s\", ($2 - $1) / 1e9 }"; }

# digest <path...>: one digest of the content and names of all files below the paths
digest() { find "$@" -type f ! -name '*.test.ts' -print0 2>/dev/null | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum; }

# step <name> <words> <digest of the inputs> <what to do when it fails> <command...>: runs what is stale
step() {
  name=$1 words=$2 inputs=$3 advice=$4
  shift 4
  if [ "$(cat "$state/$name" 2>/dev/null)" = "$inputs" ]; then
    [ -z "$verbose" ] || say "set-up: $words: up to date"
    return 0
  fi
  announce
  began=$(now)
  say "set-up: $words ..."
  rm -f "$state/$name"
  if ! "$@" >"$state/$name.log" 2>&1 </dev/null; then
    tail -n 20 "$state/$name.log" >&2
    die "$words failed; all of its output is in $top/$state/$name.log" "$advice" \
      "Then run the same command again: what is done already is not done twice."
  fi
  printf '%s\n' "$inputs" >"$state/$name.part" && mv "$state/$name.part" "$state/$name"
  say "set-up: $words: $(seconds "$began" "$(now)")"
}

# Said once, by whichever of the steps that run at the same time is the first.
announce() {
  [ ! -e "$state/announced" ] || return 0
  : >"$state/announced"
  say "setting up in $top (the first use, or something has changed since)"
}

case $top in
*[\"\\]*) die "the path of the tree has a quote or a backslash in it: $top" "Move it elsewhere." ;;
esac
mkdir -p "$state" 2>/dev/null && touch "$state/lock" 2>/dev/null ||
  die "cannot write below $top as user $(id -un)" "Run it as the user who owns the tree, or use a copy of your own."
exec 9>"$state/lock"
if ! flock -n 9; then
  say "set-up: another one is running for this tree; waiting for it"
  flock 9
fi
started=$(now)
rm -f "$state/announced"
: >"$state/ready.part"

# ---------------------------------------------------------------------------------------------- system packages

new_enough() { "$1" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' 2>/dev/null; }

can_link_static() {
  command -v cc >/dev/null && command -v make >/dev/null &&
    printf '#include <linux/types.h>\nint main(void) { return 0; }\n' |
    cc -static -x c -o "$state/probe" - 2>/dev/null
}

missing=
can_link_static || missing="$missing gcc make libc6-dev"
command -v crun >/dev/null || missing="$missing crun"
PATH=$PATH:/usr/sbin:/sbin command -v nft >/dev/null || missing="$missing nftables"
# An npm of our own, of an earlier set-up.
export PATH="$PATH:$top/build/npm/bin"
command -v node >/dev/null || missing="$missing nodejs"
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates" # Debian's Node has none of its own
if [ -n "$tests" ]; then
  for pair in git:git ip:iproute2 mmdebstrap:mmdebstrap runc:runc strace:strace \
    qemu-system-x86_64:qemu-system-x86 mke2fs:e2fsprogs iptables:iptables chromium:chromium skopeo:skopeo; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
  done
  /usr/bin/python3 -c 'import docker' 2>/dev/null || missing="$missing python3-docker"
  /usr/bin/python3 -c 'import swift.proxy' 2>/dev/null || missing="$missing python3-swift"
fi

# What an interrupted installation left is finished first. Its dpkg may still be at work: it outlives apt-get, without our lock.
finish_packages() {
  patience=300
  while ! said=$(LC_ALL=C dpkg --configure -a 2>&1); do
    printf '%s\n' "$said"
    case $said in
    *"locked by "*) ;; # 'another process', or from dpkg 1.22 on its name
    *) apt-get -y -f install && return 0 || return 1 ;;
    esac
    patience=$((patience - 1))
    [ "$patience" -gt 0 ] || return 1
    sleep 1
  done
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  finish_packages || return 1
  apt-get -o DPkg::Lock::Timeout=300 update || echo "the package lists could not be renewed; going on with the old ones"
  apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

# ---------------------------------------------------------------------------------------------- npm packages

# The product needs some packages; tests and checks need all. Where all are, they stay.
npm_mark=node_modules/.package-lock.json
installed=product
if grep -q '"node_modules/typescript"' "$npm_mark" 2>/dev/null; then installed=all; fi
kind=$installed dependencies=
[ -z "$tests" ] || kind=all
[ "$kind" = all ] || dependencies=--omit=dev

# npm writes its mark last, and an `npm ci` that is interrupted may leave the one before.
npm_packages() {
  rm -f "$npm_mark"
  npm ci "${dependencies:---include=dev}" --no-audit --no-fund && touch "$npm_mark"
}

# Newer than the lock file, the mark says that an `npm ci` by hand was complete.
lock_digest=$(digest package-lock.json)
npm_inputs="$kind $lock_digest"
case $(cat "$state/npm" 2>/dev/null) in
"" | *" $lock_digest")
  if [ "$installed" = "$kind" ] && [ "$npm_mark" -nt package-lock.json ]; then printf '%s\n' "$npm_inputs" >"$state/npm"; fi
  ;;
esac
[ -f "$npm_mark" ] || rm -f "$state/npm"
npm_step() {
  step npm "npm packages (npm ci${dependencies:+ $dependencies})" "$npm_inputs" \
    "If the npm registry cannot be reached, check the network and \`npm config get registry\`." npm_packages
}

# An npm that dpkg has only half installed is none yet.
early_npm=
if [ -n "$missing" ] && command -v node >/dev/null && command -v npm >/dev/null && [ -z "$(dpkg --audit 2>&1)" ]; then
  npm_step &
  early_npm=$!
fi

# ---------------------------------------------------------------------------------------------- system packages, installed

# system_packages <package...>
system_packages() {
  install="apt-get install -y --no-install-recommends $*"
  command -v apt-get >/dev/null ||
    die "these programs are missing, and this system has no apt-get: $*" "Install them with your package manager."
  [ "$(id -u)" = 0 ] ||
    die "these system packages are missing: $*" "Run as root:  apt-get update && $install"
  rm -f "$state/packages"
  step packages "system packages (apt-get install $*)" "$*" \
    "If the package lists cannot be reached, check the network and /etc/apt; by hand:  $install" \
    install_packages "$@"
}

# shellcheck disable=SC2086 # a list of words
[ -z "$missing" ] || system_packages $missing

# The system's npm is three hundred packages; where the registry's own cannot be had, it will do.
if ! command -v npm >/dev/null; then
  node tools/fetch-npm.mjs build/npm >"$state/own-npm.log" 2>&1 || system_packages npm
fi

if [ -n "$early_npm" ]; then wait "$early_npm" || exit 1; else npm_step; fi

# ---------------------------------------------------------------------------------------------- Node

node=
for candidate in "$(command -v node)" "$top"/node_modules/node-linux-*/bin/node; do
  if [ -x "$candidate" ] && new_enough "$candidate"; then node=$candidate && break; fi
done
[ -n "$node" ] || die "no Node 24 or newer was found, and npm has none for this machine ($(uname -m))" \
  "Install Node 24 from your system's packages or nodejs.org, so that \`node --version\` says so."
export PATH="$top/node_modules/.bin:${node%/*}:$PATH"

# ---------------------------------------------------------------------------------------------- programs out of Debian's packages

# unpack <package...>: packages that are not installed, to $download/files
download=$state/download
unpack() {
  rm -rf "$download" && mkdir -p "$download" || return 1
  (
    cd -- "$download" || exit 1
    fetch="apt-get -o APT::Sandbox::User=root download"
    $fetch "$@" || { apt-get update && $fetch "$@"; }
  ) || return 1
  for package in "$download"/*.deb; do dpkg-deb -x "$package" "$download/files" || return 1; done
}

# take_out <package> <name of a program in it> <target>: one program out of a package that is not installed
take_out() {
  unpack "$1" && mkdir -p "$(dirname -- "$3")" || return 1
  program=$(find "$download/files" -type f -path "*/bin/$2" | head -n 1)
  [ -n "$program" ] && cp -p "$program" "$3.part" && mv "$3.part" "$3" || return 1
  rm -rf "$download"
}

# The tests drive the engine with the real docker CLI; only it, not the package, whose dockerd would be started.
docker_cli() {
  take_out docker-cli docker build/docker-cli/docker || take_out docker.io docker build/docker-cli/docker
}

# Foreign clients of the registry, with the library of theirs that nothing else brings: not the packages, which make networks.
podman_and_buildah() {
  library=$(apt-cache depends podman | sed -n 's/.*Depends: \(libsubid[0-9]*\).*/\1/p' | head -n 1)
  # shellcheck disable=SC2086 # perhaps nothing
  unpack podman buildah conmon $library && rm -rf build/podman.part build/podman && mkdir -p build/podman.part || return 1
  for file in podman buildah conmon 'libsubid.so.*'; do
    find "$download/files/usr" -name "$file" -path '*/usr/*' \( -type f -o -type l \) ! -path '*/share/*' \
      -exec cp -pP {} build/podman.part/ \;
  done
  rm -rf "$download" && mv build/podman.part build/podman
}

# unpack_from <suite> <package...>: packages of another Debian, beside the system's, from where the system has its own; to $apt/files
apt=$top/$state/apt
unpack_from() {
  rm -rf "$apt" && mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" || return 1
  repository=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1)
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $repository $1 main" >"$apt/sources" || return 1
  shift
  from="-o Dir::Etc::SourceList=$apt/sources -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$apt/lists
    -o Dir::Cache=$apt/cache -o Dir::State::Status=/dev/null -o APT::Sandbox::User=root"
  (cd -- "$apt" && apt-get $from update && apt-get $from download "$@") || return 1
  for package in "$apt"/*.deb; do dpkg-deb -x "$package" "$apt/files" || return 1; done
}

docker_plugins() {
  unpack_from "$1" docker-buildx docker-compose && mkdir -p "build/docker-plugins/$1" &&
    cp -p "$apt/files/usr/libexec/docker/cli-plugins/"* "build/docker-plugins/$1/" && rm -rf "$apt"
}

# The last Compose in Python, with the modules that python3-docker does not bring.
compose_v1() {
  unpack_from bookworm docker-compose python3-attr python3-cached-property python3-distro python3-distutils python3-dockerpty \
    python3-docopt python3-dotenv python3-jsonschema python3-pyrsistent python3-texttable python3-websocket python3-yaml &&
    rm -rf build/compose-v1 && mv "$apt/files/usr" build/compose-v1 && rm -rf "$apt"
}
programs_for_tests() {
  download=$state/download-for-tests
  lists_advice="It needs the system's package lists: check the network and /etc/apt."
  if ! command -v docker >/dev/null; then
    [ -x build/docker-cli/docker ] || rm -f "$state/docker-cli"
    step docker-cli "docker CLI (from Debian's docker-cli or docker.io)" "1" "$lists_advice" docker_cli
  fi
  [ -x build/podman/podman ] || rm -f "$state/podman"
  step podman "podman and buildah (from Debian)" "1" "$lists_advice" podman_and_buildah
  for suite in trixie sid; do
    [ -x "build/docker-plugins/$suite/docker-compose" ] || rm -f "$state/docker-plugins-$suite"
    step "docker-plugins-$suite" "buildx and Compose (from Debian $suite)" "1" "$lists_advice" docker_plugins "$suite"
  done
  [ -x build/compose-v1/bin/docker-compose ] || rm -f "$state/compose-v1"
  step compose-v1 "Compose v1 (from Debian bookworm)" "1" "$lists_advice" compose_v1
}
for_tests=
if [ -n "$tests" ]; then
  programs_for_tests &
  for_tests=$!
fi

# ---------------------------------------------------------------------------------------------- what is made from source

native_programs() { make -j "$(nproc)" -C native && make -C native/addon NODE="$node"; }
native_digest=$(digest native)
[ -x build/native/hawser-launcher ] && [ -x build/native/hawser-stub ] && [ -f build/native/hawser.node ] || rm -f "$state/native"
step native "native programs (make -C native)" "$native_digest" \
  "This is a defect of Hawser on your system: please report it with that file." native_programs

sources_digest=$(digest packages tools/build.ts tools/bundle.ts package-lock.json)
[ -f dist/cli/main.js ] && [ -f dist/cli/resident.js ] && [ -f dist/engine/main.js ] || rm -f "$state/bundles"
step bundles "client and engine (tools/build.ts)" "$sources_digest" \
  "This is a defect of Hawser: please report it with that file." "$node" tools/build.ts

# Debian's static busybox is taken out of its package, not installed: it would replace an installed `busybox`.
static_busybox() {
  if dpkg-query -W -f '${Status}' busybox-static 2>/dev/null | grep -q ' installed'; then
    mkdir -p build/busybox && cp -p "$(command -v busybox)" build/busybox/busybox
  else
    take_out busybox-static busybox build/busybox/busybox
  fi
}
[ -x build/busybox/busybox ] || rm -f "$state/busybox"
step busybox "busybox (from Debian's busybox-static)" "1" \
  "It needs the system's package lists: check the network and /etc/apt." static_busybox

images_digest=$(digest build/native/hello build/busybox packages/store/src packages/oci/src tools/build-images.ts)
[ -f build/images/hello-world.tar ] && [ -f build/images/busybox.tar ] || rm -f "$state/images"
step images "built-in images (hello-world, busybox)" "$images_digest" \
  "This is a defect of Hawser: please report it with that file." "$node" tools/build-images.ts

[ -z "$for_tests" ] || wait "$for_tests" || exit 1

printf '%s\n%s\n' "$node" "$top" >"$state/ready.text" || exit 1
touch -r "$state/ready.part" "$state/ready.text" && mv "$state/ready.text" "$state/ready" || exit 1
if [ -e "$state/announced" ]; then
  say "set-up done in $(seconds "$started" "$(now)"); the next start is at once"
elif [ -n "$verbose" ]; then
  say "set-up: nothing to do"
fi
