#!/usr/bin/env bash
# Installs the packages of requirements.lock, and this project itself, into the virtual environment $1.
set -euo pipefail
venv=$1

# A pyenv shim may be on the path and yet point at nothing: only an interpreter that runs counts.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 /usr/bin/python3.11 python3 python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.11 is missing. Install it (Debian: apt-get install python3.11 python3.11-venv; or: pyenv install 3.11)," >&2
  echo "or name it: make setup PYTHON=/path/to/python3.11" >&2
  exit 1
}

if ! "$venv/bin/python" -c '' 2>/dev/null; then
  python=$(find_python)
  echo "setup: making $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || {
    echo "The venv module is incomplete. Debian: apt-get install python3.11-venv" >&2
    exit 1
  }
fi

if ! "$venv/bin/uv" --version >/dev/null 2>&1; then
  echo "setup: installing uv, which installs the rest from the lock file in seconds"
  pinned=$(mktemp)
  trap 'rm -f "$pinned"' EXIT
  awk '/^uv==/ { found = 1 } found { print } found && !/\\$/ { exit }' requirements.lock >"$pinned"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$pinned"
fi

echo "setup: installing the $(grep -c '^[^ #]*==' requirements.lock) packages of requirements.lock (6.5 GB once installed). Asked for, and why:"
sed -n 's/^    "\([A-Za-z0-9_-]*\)[^"]*", *# \(.*\)/\1|\2/p' pyproject.toml |
  while IFS='|' read -r package reason; do printf '  %-22s %s\n' "$package" "$reason"; done

quiet=--quiet
if [ -t 2 ]; then quiet=; fi # to a person uv shows how far it is
export VIRTUAL_ENV=$PWD/$venv UV_PYTHON_DOWNLOADS=never
"$venv/bin/uv" pip sync $quiet --require-hashes --compile-bytecode requirements.lock
"$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
echo "setup: done; the command is $venv/bin/keypulse"
