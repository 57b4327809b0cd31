#!/usr/bin/env bash
# install.sh BASE PATH [EXTRA]: make the environment PATH with the locked requirements, out of the Python BASE.
# Nothing of the caller's environment takes part, but for how to reach a package index (proxies, mirrors, certificates).
set -euo pipefail
base=$1 path=$2 extra=${3:-}
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
# uv with its hash, by way of pip; then everything else with its hash, by way of uv. The Python's own pip saves a venv (4 s).
get_uv() {
  "$1" -I -m pip install --quiet --disable-pip-version-check --no-input --no-compile --root-user-action ignore --no-deps --require-hashes \
    "${@:2}" --requirement <(sed -n '/^uv==/,/[^\\]$/p' "$root/requirements-dev.txt")
}
if ! "$base" -I -c 'import pip' 2>/dev/null || ! get_uv "$base" --target "$tools"; then
  "$base" -I -m venv "$tools"
  get_uv "$tools/bin/python"
fi
"$tools/bin/uv" venv --quiet --no-config --clear --relocatable --python "$base" "$new"
"$tools/bin/uv" pip install --quiet --no-config --python "$new/bin/python" --no-deps --require-hashes --only-binary :all: \
  --requirement "$root/requirements${extra:+-$extra}.txt"
# To import it is to compile it: what no command imports stays as it is, which saves seconds and 80 MB.
"$new/bin/python" -I -W ignore - <<'END'
import importlib.util
for name in (
    "click", "github", "msgspec", "numpy", "pdpyras", "rich.console", "rich.markdown", "rich.table", "scipy.special", "wandb",
    "wandb.apis.public", "yaml", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet",
):
    if importlib.util.find_spec(name.partition(".")[0]):
        importlib.import_module(name)
END
# Another job on this machine may have been faster; a whole environment is moved, never a part of one.
mv -T "$new" "$path" 2>/dev/null || [[ -x $path/bin/python ]]
