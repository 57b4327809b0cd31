# shellcheck shell=bash
# The action that drills; sourced by run.sh.
: "${library:?}" "${code:?}"

line model MW_DRILLED required
line staging MW_STAGING required
option tier MW_TIER --tier
option authority MW_AUTHORITY --authority
flag game-day MW_GAME_DAY --game-day
flag issue MW_ISSUE --issue
# Each scenario becomes an option of its own.
IFS=$' \t\r\n,' read -r -d '' -a words < <(printf '%s\0' "${MW_SCENARIOS:-}") || true
for word in "${words[@]}"; do flags+=("--scenario=$word"); done
modelwatch drill --staging="$MW_STAGING" "${flags[@]}" -- "$MW_DRILLED"
