# shellcheck shell=bash
# What every action that moves a release hands on.

# moving: the options of every command that moves a release, and the environment of the user's own command.
moving() {
  option key MW_KEY --key
  option reason MW_REASON --reason
  option by MW_BY --by
  option issue MW_ISSUE --issue
  flag take-over MW_TAKE_OVER --take-over
  secrets "${MW_COMMAND_ENVIRONMENT:-}"
  local entry name given=${MW_COMMAND_ENVIRONMENT:-}
  unset MW_COMMAND_ENVIRONMENT
  while IFS= read -r entry; do
    name=${entry%%=*}
    [[ $entry == *=* && $entry != '#'* ]] || continue
    [[ $name =~ ^[A-Z][A-Z0-9_]*$ && ! $name =~ ^(PATH|BASH.*|ENV|IFS|LD_.*|PYTHON.*|MW_.*|MODELWATCH_.*|GITHUB_.*)$ ]] ||
      refuse "Input \`command-environment\` holds a name that no command of yours can be given."
    export "$name=${entry#*=}"
  done <<<"$given"
}
