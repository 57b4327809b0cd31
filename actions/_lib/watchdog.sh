# shellcheck shell=bash
# The action that watches over modelwatch; sourced by run.sh.
: "${library:?}" "${code:?}"

flag any-event MW_ANY_EVENT --any-event
for pair in workflow every interval dashboard drill token-notice max-rate outdated-after; do
  name=MW_${pair^^}
  option "$pair" "${name//-/_}" "--$pair"
done
option wandb-max-age MW_MAX_DATA_AGE --wandb-max-age
option dashboard-max-age MW_MAX_DASHBOARD_AGE --dashboard-max-age
option drill-max-age MW_MAX_DRILL_AGE --drill-max-age
# Lists are words; each becomes an option of its own.
for pair in --wandb=MW_PROJECTS --wandb-tag=MW_TAGS --token=MW_TOKENS --without=MW_WITHOUT; do
  name=${pair#*=}
  IFS=$' \t\r\n,' read -r -d '' -a words < <(printf '%s\0' "${!name:-}") || true
  for word in "${words[@]}"; do flags+=("${pair%%=*}=$word"); done
done
modelwatch watchdog "${flags[@]}"
# What is broken has its issue and its page: the step itself has worked.
if [[ $code -ge 10 && $code -le 11 ]] && ! truth fail-on-findings MW_FAIL_ON_FINDINGS; then
  echo "::warning title=modelwatch::The watchdog has found something: see its issue."
  output exit-code "$code"
  exit 0
fi
