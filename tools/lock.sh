#!/usr/bin/env bash
# Writes requirements.lock: every library with the hashes of all its published files, one version for all Pythons
# and platforms. Versions in the present lock are kept where they still fit.
#
#   tools/lock.sh --upgrade                          take the newest versions instead
#   tools/lock.sh --upgrade-package polars           only of polars
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The resolver lives in an environment of its own, so that it does not appear in the lock.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch"
"$scratch/bin/python" -m pip install --disable-pip-version-check --quiet uv==0.13.9

# Local directories of wheels (pip reads them from its configuration, uv from UV_FIND_LINKS) must not reach the lock.
env -u UV_FIND_LINKS -u UV_EXTRA_INDEX_URL "$scratch/bin/uv" --no-config pip compile pyproject.toml \
  --all-extras --universal --python-version 3.11 --fork-strategy fewest --no-build --generate-hashes \
  --custom-compile-command "make lock" --quiet --output-file requirements.lock "$@"
echo "requirements.lock holds $(grep -c '^[a-z]' requirements.lock) libraries."
