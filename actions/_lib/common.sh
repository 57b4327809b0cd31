# shellcheck shell=bash
# What the scripts of our actions share. Inputs arrive in the environment (MW_*), never in the text of a script.

# Text that can stand in a workflow command: one line, whatever it holds.
escape() {
  local text=$1
  text=${text//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '%s' "${text//$'\n'/%0A}"
}

summarize() { printf '%s\n' "$1" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"; }

refuse() {
  printf '::error title=modelwatch::%s\n' "$(escape "$1")"
  summarize "## modelwatch: nothing was done"$'\n\n'"$1"
  exit 2
}

output() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }

# The value of an input that is one line; the name is ours, so a message may show it.
line() {
  local value=${!2:-}
  [[ $value != *[$'\r\n']* ]] || refuse "Input \`$1\` must be one line."
  [[ -n $value || -z ${3:-} ]] || refuse "Input \`$1\` is required."
}

# Inputs of actions are strings: only these two are booleans, and 'false' is false.
truth() {
  local value=${!2:-}
  [[ $value == true || $value == false ]] || refuse "Input \`$1\` must be true or false."
  [[ $value == true ]]
}

mask() {
  local secret
  while IFS= read -r secret; do
    [[ ${#secret} -lt 4 ]] || printf '::add-mask::%s\n' "$(escape "$secret")"
  done <<<"$1"
}

# Hand a secret on under the name that modelwatch knows, where the input is given; always masked.
secret() {
  [[ -z ${!2:-} ]] || export "$1=${!2}"
  [[ -z ${!1:-} ]] || mask "${!1}"
}

# The lines NAME=value of a bundle are masked by their values, with and without quotes.
secrets() {
  local entry value
  while IFS= read -r entry; do
    [[ $entry == *=* && $entry != '#'* ]] || continue
    value=${entry#*=}
    mask "$value"
    mask "${value//[\"\']/}"
  done <<<"${1:-}"
}
