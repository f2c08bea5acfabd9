#!/bin/sh
# Makes packages/build/src/grpc/generated of packages/build/proto, with programs of npm that nothing else needs.
set -eu
top=$(cd -- "$(dirname -- "$0")/.." && pwd)
out=$top/packages/build/src/grpc/generated
rm -rf -- "$out"
npm exec --yes --package=@bufbuild/buf@1.75.0 --package=@bufbuild/protoc-gen-es@2.17.0 -- \
  buf generate "$top/packages/build/proto" --output "$top" --template '{"version": "v2", "plugins": [{"local": "protoc-gen-es",
    "out": "packages/build/src/grpc/generated", "opt": ["target=ts", "import_extension=ts", "erasable_syntax=true"]}]}'
