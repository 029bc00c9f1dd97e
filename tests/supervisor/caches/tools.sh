#!/usr/bin/env bash
# Installs the package managers that Debian does not have, once, and prints where they are.
set -euo pipefail
if [ -n "${CLAWGUARD_TOOLS:-}" ]; then at=$CLAWGUARD_TOOLS
elif [ "$(id -u)" = 0 ] || [ -e /var/cache/clawguard-tools/1 ]; then at=/var/cache/clawguard-tools
else at=$HOME/.cache/clawguard-tools; fi
# A new number where another version is wanted.
done=$at/1
mkdir -p "$at"
exec 9> "$at/lock"
flock 9
if [ ! -e "$done" ]; then
  {
    umask 022
    install() {
      mkdir -p "$at/$1"; echo '{}' > "$at/$1/package.json"
      npm install --prefix "$at/$1" --no-audit --no-fund --ignore-scripts "$2"
    }
    install pnpm10 pnpm@10.34.9
    install pnpm12 pnpm@12.21.0
    install yarn1 yarn@1.22.22
    install yarn4 @yarnpkg/cli-dist@4.18.1
    install bun bun@1.4.5
    # The programs themselves, which come as optional packages for each processor.
    ln -s "$at"/pnpm12/node_modules/@pnpm/exe.linux-*/pnpm "$at/pnpm12/pnpm"
    ln -s "$at"/bun/node_modules/@oven/bun-linux-*/bin/bun "$at/bun/bun"
    /usr/bin/python3 -m venv "$at/python"
    "$at/python/bin/pip" install -q uv==0.13.9
  } >&2
  chmod -R a+rX "$at"
  : > "$done"
fi
echo "$at"
