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
  issue | page | dispatch)
    line plan MW_PLAN required
    line plan-digest MW_PLAN_DIGEST required
    modelwatch apply --plan="$MW_PLAN" --digest="$MW_PLAN_DIGEST" --only="$1" --out="$out/receipts-$1.json"
    ;;
  promote-model)
    line version MW_VERSION required
    moving
    modelwatch 'release promote' "${flags[@]}" -- "$MW_VERSION"
    ;;
  rollback-model)
    line version MW_VERSION
    moving
    modelwatch 'release rollback' "${flags[@]}" -- "$MW_VERSION"
    ;;
  degrade-model)
    moving
    verb=degrade
    if truth restore MW_RESTORE; then verb=restore; fi
    modelwatch "release $verb" "${flags[@]}"
    ;;
  retrain-model)
    option bump MW_BUMP --bump
    moving
    modelwatch 'release retrain' "${flags[@]}"
    ;;
  canary-model)
    line version MW_VERSION
    flag act MW_ACT
    moving
    case $MW_STEP in
      start)
        line version MW_VERSION required
        option percent MW_PERCENT --percent
        modelwatch 'release canary start' "${flags[@]}" -- "$MW_VERSION"
        ;;
      judge)
        flag act MW_ACT --act
        modelwatch 'release canary judge' "${flags[@]}"
        ;;
      abort) modelwatch 'release canary abort' "${flags[@]}" ;;
      *) refuse "Input \`step\` must be start, judge or abort." ;;
    esac
    ;;
  validate-candidate)
    line version MW_VERSION required
    line champion MW_CHAMPION required
    flag fail-on-hold MW_FAIL_ON_HOLD --exit-code
    modelwatch 'release validate' --champion="$MW_CHAMPION" --out="$out/verdict.json" "${flags[@]}" -- "$MW_VERSION"
    output verdict "$out/verdict.json"
    ;;
  capture-baseline)
    line model MW_MODEL required
    line file MW_FILE required
    option since MW_SINCE --since
    option until MW_UNTIL --until
    option version MW_VERSION --version
    before_file=$(cksum -- "$MW_FILE" 2>/dev/null || true)
    modelwatch 'baseline capture' --out="$MW_FILE" "${flags[@]}"
    output file "$MW_FILE"
    if [[ $(cksum -- "$MW_FILE" 2>/dev/null || true) == "$before_file" ]]; then output changed false; else output changed true; fi
    ;;
  shards)
    line max MW_MAX required
    modelwatch shards --max="$MW_MAX"
    ;;
  gather)
    line results MW_RESULTS required
    line expect MW_EXPECT required
    shopt -s nullglob
    folders=("$MW_RESULTS"/*/)
    modelwatch gather --expect="$MW_EXPECT" --out="$out/report.md" -- "${folders[@]:-$MW_RESULTS}"
    output report "$out/report.md"
    ;;
  *) refuse "There is no action of this name." ;;
esac
ended "$1"
