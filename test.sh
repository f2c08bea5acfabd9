#!/bin/sh
# Everything that proves Hawser, in one command: sets up what is missing (as `./hawser` does, and what the tests need
# beyond it), then runs checks, unit, root, native and end-to-end tests. Arguments go to tools/test.ts.
top=$(cd -- "$(dirname -- "$0")" && pwd) || exit 1
cd -- "$top" || exit 1
sh tools/setup.sh --tests || exit 1
read -r node <build/setup/ready
PATH=$top/node_modules/.bin:${node%/*}:/usr/sbin:/sbin:$PATH
export PATH
[ $# -gt 0 ] || set -- all
exec "$node" tools/test.ts "$@"
