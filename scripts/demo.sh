#!/usr/bin/env bash
# The main job from camera to city on this machine: installs what is missing, then plays a clip as an RTSP camera and
# shows how its one violation gets to the city's receiver. Options: --once, --json, --input rtsp://…|FILE, --help.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
export PATH="$PWD/node_modules/.bin:$PATH"
if [ ! -f dist/cli/main.js ] || [ -n "$(find src package-lock.json -newer dist/cli/main.js -print -quit)" ]; then
  echo "setup: building" >&2
  rm -rf dist
  tsc -p tsconfig.build.json
fi
cd - >/dev/null
exec node "$(dirname "$(readlink -f "$0")")/demo/main.ts" "$@"
