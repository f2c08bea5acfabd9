#!/bin/sh
# Makes the certificates of this folder, which are valid for a hundred years: sh make.sh
set -e
cd "$(dirname "$0")"
new="-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500"
authority() {
  openssl req $new -subj "/CN=$1" -keyout "$1-key.tmp" -out "$1.pem"
}
issue() { # name, authority, extended key usage, more
  name=$1 from=$2 usage=$3
  shift 3
  openssl req $new -subj "/CN=$name" -CA "$from.pem" -CAkey "$from-key.tmp" -addext basicConstraints=critical,CA:FALSE \
    -addext "extendedKeyUsage=$usage" "$@" -keyout "$name-key.pem" -out "$name-cert.pem"
}
authority authority
authority stranger
issue server authority serverAuth -addext subjectAltName=IP:127.0.0.1,DNS:localhost
issue client authority clientAuth
issue strange-client stranger clientAuth
rm ./*.tmp stranger.pem
