#!/usr/bin/env bash
# Runs the same work here and in other projects' libraries, side by side: one file a family of work, each in an
# environment of its own, for the libraries of one cannot always live with those of another.
#
#   tools/peers/run.sh               every family
#   tools/peers/run.sh optimisers    one of them
#
# A family NAME is NAME.py, which prints its tables, and NAME.txt, the libraries it needs with their versions.
# Libraries that cannot live with the others of their family have an environment of their own, apart/LABEL.txt, whose
# first line says for which family and which Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
unset PYTHONDONTWRITEBYTECODE # the others were compiled when they were installed

main() {
  local name
  [ $# -gt 0 ] || set -- $(families)
  for name in "$@"; do
    [ -f "tools/peers/$name.py" ] || fail "There is no $name among the peers; there are: $(families | tr '\n' ' ')"
  done
  for name in "$@"; do
    set_up "$name" "tools/peers/$name.txt" "${PYTHON:-python3}"
    set_up_apart "$name"
    PYTHONPATH=. "build/peers/$name/bin/python" -W ignore "tools/peers/$name.py"
  done
}

families() {
  local file
  for file in tools/peers/*.txt; do
    basename "$file" .txt
  done
}

set_up() { # NAME FILE PYTHON
  local place="build/peers/$1" wanted
  wanted="$(cksum <"$2") $PWD"
  if [ -f "$place/.ready" ] && [ "$(cat "$place/.ready")" = "$wanted" ]; then
    return
  fi
  echo "Setting up $place, some hundred megabytes to fetch the first time."
  "$3" -m venv --clear "$place"
  "$place/bin/python" -m pip install --disable-pip-version-check --quiet -r "$2"
  echo "$wanted" >"$place/.ready"
}

set_up_apart() { # FAMILY
  local file family version python
  for file in tools/peers/apart/*.txt; do
    read -r _ family version <"$file"
    [ "$family" = "$1" ] || continue
    python="$(find_python "$version")"
    if [ -n "$python" ]; then
      set_up "$(basename "$file" .txt)" "$file" "$python"
    else
      echo "There is no Python $version here, so $(basename "$file" .txt) is left out."
    fi
  done
}

find_python() { # VERSION
  local python
  for python in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if "$python" -c "" >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
}

fail() {
  echo "$1" >&2
  exit 1
}

main "$@"
