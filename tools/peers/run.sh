#!/usr/bin/env bash
# Runs the same work here and in other projects' libraries, side by side: one file a family of work, each in an
# environment of its own, for the libraries of one cannot always live with those of another.
#
#   tools/peers/run.sh               every family
#   tools/peers/run.sh optimisers    one of them
#
# A family NAME is NAME.py, which prints its tables, and NAME.txt, the libraries it needs with their versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

main() {
  local name
  [ $# -gt 0 ] || set -- $(families)
  for name in "$@"; do
    [ -f "tools/peers/$name.py" ] || fail "There is no $name among the peers; there are: $(families | tr '\n' ' ')"
  done
  for name in "$@"; do
    set_up "$name"
    PYTHONPATH=. "build/peers/$name/bin/python" -W ignore "tools/peers/$name.py"
  done
}

families() {
  local file
  for file in tools/peers/*.txt; do
    basename "$file" .txt
  done
}

set_up() { # NAME
  local place="build/peers/$1" wanted
  wanted="$(cksum <"tools/peers/$1.txt") $PWD"
  if [ -f "$place/.ready" ] && [ "$(cat "$place/.ready")" = "$wanted" ]; then
    return
  fi
  echo "Setting up $place, some hundred megabytes to fetch the first time."
  "${PYTHON:-python3}" -m venv --clear "$place"
  "$place/bin/python" -m pip install --disable-pip-version-check --quiet -r "tools/peers/$1.txt"
  echo "$wanted" >"$place/.ready"
}

fail() {
  echo "$1" >&2
  exit 1
}

main "$@"
