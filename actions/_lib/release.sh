# shellcheck shell=bash
# The actions that move releases, or look at them; sourced by run.sh, which has named the action in $1.
: "${library:?}" "${out:?}"

# shellcheck source=actions/_lib/moving.sh
source "$library/moving.sh"

case $1 in
  promote-model | rollback-model)
    line version MW_VERSION "$([[ $1 == rollback-model ]] || printf required)"
    option from-version MW_FROM_VERSION --from
    if [[ $1 == rollback-model ]]; then flag fallback MW_FALLBACK --fallback; fi
    moving
    modelwatch "release ${1%-model}" "${flags[@]}" -- "$MW_VERSION"
    ;;
  degrade-model)
    option from-version MW_FROM_VERSION --from
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
    [[ $MW_STEP =~ ^(start|judge|abort)$ ]] || refuse "Input \`step\` must be start, judge or abort."
    line version MW_VERSION "$([[ $MW_STEP != start ]] || printf required)"
    flag act MW_ACT "$([[ $MW_STEP != judge ]] || printf -- --act)"
    if [[ $MW_STEP == start ]]; then option percent MW_PERCENT --percent; fi
    moving
    if [[ $MW_STEP == start ]]; then flags+=(-- "$MW_VERSION"); fi
    modelwatch "release canary $MW_STEP" "${flags[@]}"
    ;;
  validate-candidate)
    line version MW_VERSION required
    line champion MW_CHAMPION required
    option issue MW_ISSUE --issue
    if truth fail-on-hold MW_FAIL_ON_HOLD; then flags+=(--exit-code); else flags+=(--no-exit-code); fi
    modelwatch 'release validate' --champion="$MW_CHAMPION" --out="$out/verdict.json" "${flags[@]}" -- "$MW_VERSION"
    output verdict "$out/verdict.json"
    ;;
  capture-baseline)
    line file MW_FILE required
    option since MW_SINCE --since
    option until MW_UNTIL --until
    option version MW_VERSION --version
    flag pull-request MW_PULL_REQUEST
    command='baseline capture'
    if [[ $MW_PULL_REQUEST == true ]]; then command='baseline propose'; fi
    earlier=$(cksum -- "$MW_FILE" 2>/dev/null || true)
    modelwatch "$command" --out="$MW_FILE" "${flags[@]}"
    output file "$MW_FILE"
    output changed "$([[ $(cksum -- "$MW_FILE" 2>/dev/null || true) == "$earlier" ]] && echo false || echo true)"
    ;;
esac
