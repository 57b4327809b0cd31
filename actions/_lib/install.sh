#!/usr/bin/env bash
# install.sh BASE PATH: make the environment PATH with the locked requirements, out of the Python BASE.
# Nothing of the caller's environment takes part, but for how to reach a package index (proxies, mirrors, certificates).
set -euo pipefail
base=$1 path=$2
[[ ! -x $path/bin/python ]] || exit 0
library=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
root=$(cd "$library/../.." && pwd)

while IFS= read -r name; do
  case $name in
    *INDEX* | *CERT* | *PROXY* | *TIMEOUT* | *FIND_LINKS* | *KEYRING* | *CACHE_DIR* | *_TLS | *INSECURE_HOST | *TRUSTED_HOST) ;;
    PYTHON* | PIP_* | UV_* | VIRTUAL_ENV | CONDA_PREFIX) unset "$name" ;;
    *) ;;
  esac
done < <(compgen -e)

mkdir -p "${path%/*}"
new=$(mktemp -d "$path.XXXXXX") tools=$(mktemp -d)
trap 'rm -rf "$new" "$tools"' EXIT
cd "$tools" # so that no configuration of the caller's workspace is found
# uv with its hash, by way of pip; then everything else with its hash, by way of uv.
"$base" -I -m venv "$tools"
"$tools/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes \
  --requirement <(sed -n '/^uv==/,/[^\\]$/p' "$root/requirements-dev.txt")
uv() { "$tools/bin/uv" "$@"; }
uv venv --quiet --no-config --clear --relocatable --python "$base" "$new"
uv pip install --quiet --no-config --python "$new/bin/python" --no-deps --require-hashes --only-binary :all: \
  --compile-bytecode --requirement "$root/requirements.txt"
# Another job on this machine may have been faster; a whole environment is moved, never a part of one.
mv -T "$new" "$path" 2>/dev/null || [[ -x $path/bin/python ]]
