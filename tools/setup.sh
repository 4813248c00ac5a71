#!/usr/bin/env bash
# Builds the environment .venv from requirements.lock, or finds within milliseconds that it is up to date.
#
#   PYTHON=python3.12 tools/setup.sh     with a Python of your choice, 3.11 or newer
#
# Each stamp is written after the step that it stands for and holds what that step was built from. So a set-up
# that was cut short, a changed lock and a directory that was moved are noticed, and the step is done again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NEWEST_WITH_WHEELS=14 # for Python 3.15, libraries in the lock would have to be compiled
PYTHON_NEEDED="Needed is Python 3.11 or newer with the modules venv and ensurepip (on Debian and Ubuntu: apt install \
python3 python3-venv). To choose another one: make setup PYTHON=/path/to/python3"

main() {
  local libraries package
  libraries="$(cksum <requirements.lock) $PWD"
  package="$(cksum <pyproject.toml)"
  if ! is_built_from "$libraries" .venv/.libraries || another_python_is_wanted; then
    install_libraries
    echo "$libraries" >.venv/.libraries
  fi
  if ! is_built_from "$package" .venv/.ready; then
    install_package
    echo "$package" >.venv/.ready
  fi
}

is_built_from() { # SOURCE STAMP
  [ -x .venv/bin/python ] && [ -f "$2" ] && [ "$(cat "$2")" = "$1" ]
}

another_python_is_wanted() {
  [ -n "${PYTHON:-}" ] && [ "$(version_of "$PYTHON" 2>/dev/null)" != "$(version_of .venv/bin/python)" ]
}

version_of() { # PYTHON
  "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
}

known_as() { # PYTHON
  local version
  if version=$(version_of "$1" 2>/dev/null); then
    echo ": $1 is Python $version"
  fi
}

install_libraries() {
  local python
  python=$(find_python)
  echo "Setting up .venv with Python $(version_of "$python"): 280 MB to fetch, a minute or two the first time."
  "$python" -m venv --clear .venv
  .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
}

install_package() {
  .venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
  echo "The environment in .venv is ready."
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    is_usable "$PYTHON" 99 || fail "PYTHON=$PYTHON cannot be used$(known_as "$PYTHON"). $PYTHON_NEEDED"
    echo "$PYTHON"
    return
  fi
  for candidate in python3 python3.11 python3.12 python3.13 python3.14; do
    if is_usable "$candidate" "$NEWEST_WITH_WHEELS"; then
      echo "$candidate"
      return
    fi
  done
  fail "No Python 3.11 to 3.$NEWEST_WITH_WHEELS was found under the names python3, python3.11 and so \
on$(known_as python3). $PYTHON_NEEDED"
}

is_usable() { # PYTHON NEWEST_MINOR_VERSION
  "$1" -c "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $2))" >/dev/null 2>&1
}

fail() {
  echo "$1" >&2
  exit 1
}

main
