#!/usr/bin/env bash
# Format, lint, types, all tests and a short round of every fault, on a bare Debian or Ubuntu machine.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --tests
export PATH="$PWD/node_modules/.bin:$PATH"
# Tests start the CLI hundreds of times: it starts in half the time when its types are stripped once.
export NODE_COMPILE_CACHE="$PWD/node_modules/.cache/compiled"

results=$(mktemp) noise=$(mktemp)
# The slowest of the checks, in the pauses of all that follows.
nice eslint . --max-warnings 0 &
lint=$!
trap 'kill "$lint" 2>/dev/null || true; rm -f "$results" "$noise"' EXIT
prettier --check --log-level warn .
tsc --noEmit
tsc -p tsconfig.build.json
tap build >/dev/null

status=0
# Not to the terminal itself: programs of tests make what they write to non-blocking, and others' output to it is cut short.
tap --reporter=tap 2>"$noise" | tee "$results" | grep -aE --line-buffered '^(not )?ok ' || status=$?
if [ "$status" -ne 0 ]; then
  grep -aE -A 40 '^ *not ok ' "$results" || true
  tail -n 100 "$noise"
fi
count() { grep -acE "$1" "$results" || true; }
# Assertions stand two levels deep: file, titled test, assertion.
passed=$(count '^ {4}ok [0-9]+ - ')
failed=$(count '^ {4}not ok [0-9]+ - ')
skipped=$(count '^ {4}ok [0-9]+ - .*# SKIP')
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
node test/fault/main.ts || status=$?
wait "$lint" || status=$?
exit "$status"
