#!/usr/bin/env bash
# run.sh ACTION: map the inputs of one of our actions (MW_*) to calls of modelwatch, and say how it ended.
set -euo pipefail
library=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
# shellcheck source=actions/_lib/common.sh
source "$library/common.sh"
# shellcheck source=actions/_lib/call.sh
source "$library/call.sh"

case $1 in
  monitor)
    flag dry-run MW_DRY_RUN --dry-run
    flag fail-on-findings MW_FAIL_ON_FINDINGS --exit-code
    modelwatch run --out="$out" "${flags[@]}"
    output out "$out"
    ;;
  pull-metrics)
    modelwatch pull --out="$out/series.jsonl"
    output series "$out/series.jsonl"
    ;;
  measure-predictions | score-holdout)
    # shellcheck source=actions/_lib/measuring.sh
    source "$library/measuring.sh"
    ;;
  evaluate)
    line series MW_SERIES required
    flag fail-on-findings MW_FAIL_ON_FINDINGS --exit-code
    flag plan MW_WITH_PLAN
    rm -f "$out/alerts.json"
    modelwatch evaluate --series="$MW_SERIES" --out="$out/alerts.json" "${flags[@]}"
    if [[ $MW_WITH_PLAN == true && -s $out/alerts.json ]]; then
      modelwatch plan --alerts="$out/alerts.json" --out="$out/plan.json"
    fi
    ;;
  issue | page | dispatch | message)
    line plan MW_PLAN required
    line plan-digest MW_PLAN_DIGEST required
    modelwatch apply --plan="$MW_PLAN" --digest="$MW_PLAN_DIGEST" --only="$1" --out="$out/receipts-$1.json"
    ;;
  promote-model | rollback-model | degrade-model | retrain-model | canary-model | validate-candidate | capture-baseline)
    # shellcheck source=actions/_lib/release.sh
    source "$library/release.sh"
    ;;
  receive-incident)
    [[ -n ${MW_PAYLOAD:-} ]] || refuse "Input \`payload\` is required."
    export MODELWATCH_PAYLOAD=$MW_PAYLOAD
    modelwatch receive
    ;;
  shards | gather | build-dashboard | scorecard)
    # shellcheck source=actions/_lib/fleet.sh
    source "$library/fleet.sh"
    ;;
  backtest | drill | watchdog)
    # shellcheck source=actions/_lib/backtest.sh
    source "$library/$1.sh"
    ;;
  *) refuse "There is no action of this name." ;;
esac
ended "$1"
