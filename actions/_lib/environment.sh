#!/usr/bin/env bash
# Say where the environment of modelwatch belongs on this runner, and whether it has to be fetched first.
# MW_EXTRA: the extra of modelwatch that the action needs. MW_CONFIG: the configuration, or a folder; one with `table:` needs `profiling`. The key names everything that the environment depends on: system, Python, locked requirements, the way to install.
set -euo pipefail
library=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
# shellcheck source=actions/_lib/common.sh
source "$library/common.sh"

[[ ${RUNNER_OS:-Linux} == Linux ]] || refuse "modelwatch runs on Linux runners; this one is $RUNNER_OS."
cached=true
truth cache MW_CACHE || cached=false
if [[ -n ${MODELWATCH_PYTHON:-} ]]; then
  output restore false
  exit
fi

base=''
for name in python3 python3.13 python3.12 python3.11; do
  if command -v "$name" >/dev/null && "$name" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    base=$(command -v "$name")
    break
  fi
done
[[ -n $base ]] || refuse "modelwatch needs Python 3.11 or later on the runner: put \`actions/setup-python\` before this step."

extra=${MW_EXTRA:-}
# Where this finds too much, the environment is larger; where it finds too little, the command names the extra.
if [[ -z $extra && -n ${MW_CONFIG:-} ]] && grep -Eqrs "^[^#]*\btable[\"']?[[:space:]]*:" -- "$MW_CONFIG"; then extra=profiling; fi

facts=$("$base" -I -c 'import sys, sysconfig; print(sys.base_prefix, sys.version, sysconfig.get_platform())')
hash=$(printf '%s\n' "$facts" | cat - "$library/install.sh" "$library/../../requirements${extra:+-$extra}.txt" | "$base" -I -c \
  'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:20])')
# Below the folder that the runner empties for each job: in its tool cache, other jobs of the machine could have changed it.
path=$RUNNER_TEMP/modelwatch-environments/$hash
output key "modelwatch-${RUNNER_OS:-any}-${RUNNER_ARCH:-any}-$hash"
output path "$path"
output base "$base"
output extra "$extra"
if [[ $cached == true && ! -x $path/bin/python ]]; then output restore true; else output restore false; fi
