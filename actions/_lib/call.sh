# shellcheck shell=bash
# Prepare one call of modelwatch: secrets, the inputs that every action has, the environment; and end the step.
# Sets for run.sh: shared (arguments), flags (arguments), out (folder).
: "${library:?}"

unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
secret GITHUB_TOKEN MW_GITHUB_TOKEN
secret WANDB_API_KEY MW_WANDB_API_KEY
secret PAGERDUTY_ROUTING_KEY MW_PAGERDUTY_ROUTING_KEY
secret PAGERDUTY_TOKEN MW_PAGERDUTY_TOKEN
secret MODELWATCH_SECRETS MW_SECRETS
secrets "${MODELWATCH_SECRETS:-}"

[[ -z ${MW_CONFIG+given} ]] || line config MW_CONFIG required
line out MW_OUT
out=${MW_OUT:-$RUNNER_TEMP/modelwatch}
shared=()
[[ -z ${MW_CONFIG+given} ]] || shared+=("--config=$MW_CONFIG")
line model MW_MODEL
[[ -z ${MW_MODEL:-} ]] || shared+=("--model=$MW_MODEL")
IFS=$' \t\r\n,' read -r -d '' -a names < <(printf '%s\0' "${MW_MODELS:-}")
for name in "${names[@]}"; do shared+=("--model=$name"); done
flags=()
code=0
before=$(wc -c <"${GITHUB_STEP_SUMMARY:-/dev/null}")

# flag INPUT VARIABLE [OPTION]: the option where the input is true.
flag() {
  if truth "$1" "$2" && [[ -n ${3:-} ]]; then flags+=("$3"); fi
}

# option INPUT VARIABLE OPTION: the option with the input's value, where it is given.
option() {
  line "$1" "$2"
  [[ -z ${!2:-} ]] || flags+=("$3=${!2}")
}

# modelwatch COMMAND [OPTION...]: remembers the first exit code that is not 0, and goes on.
# COMMAND may be of several words, such as "release promote".
modelwatch() {
  local python=${MODELWATCH_PYTHON:-} ended=0 words
  read -r -a words <<<"$1"
  if [[ -z $python ]]; then
    python=$MW_ENVIRONMENT/bin/python
    bash "$library/install.sh" "$MW_BASE" "$MW_ENVIRONMENT" "${MW_EXTRA:-}" || refuse "The locked requirements could not be installed."
  fi
  mkdir -p "$out"
  "$python" -I "$library/launch.py" "${words[@]}" "${shared[@]}" "${@:2}" || ended=$?
  [[ $code -ne 0 ]] || code=$ended
}

ended() {
  output exit-code "$code"
  if [[ $(wc -c <"${GITHUB_STEP_SUMMARY:-/dev/null}") -le $before ]]; then
    summarize "## modelwatch $1: exit code $code"$'\n\n'"Nothing more to tell here; the log of this step has the details."
  fi
  exit "$code"
}
