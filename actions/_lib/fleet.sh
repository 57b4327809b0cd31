# shellcheck shell=bash
# The actions that split a fleet over jobs, gather what came of it, and look back at it; sourced by run.sh, which has named the action in $1.
: "${library:?}" "${out:?}"

case $1 in
  shards)
    line max MW_MAX required
    modelwatch shards --max="$MW_MAX"
    ;;
  gather)
    line results MW_RESULTS required
    line expect MW_EXPECT required
    shopt -s nullglob
    folders=("$MW_RESULTS"/*/)
    [[ -z ${HEARTBEAT_URL:-} ]] || flags+=(--heartbeat=HEARTBEAT_URL)
    modelwatch gather --expect="$MW_EXPECT" --out="$out/report.md" "${flags[@]}" -- "${folders[@]:-$MW_RESULTS}"
    output report "$out/report.md"
    ;;
  scorecard)
    option weeks MW_WEEKS --weeks
    option incidents MW_INCIDENTS --incidents
    flag issue MW_ISSUE --issue
    flag suggest MW_SUGGEST --suggest
    flag pull-request MW_PULL_REQUEST --pull-request
    modelwatch scorecard --format=markdown "${flags[@]}"
    ;;
  build-dashboard)
    line site MW_SITE required
    option results MW_RESULTS --from
    [[ -z $MW_RESULTS ]] || flags+=(--observe)
    code=0
    modelwatch dashboard --out="$MW_SITE" "${flags[@]}" || code=$?
    # 3 and 4: the site is whole, and says itself what could not be read.
    case $code in
      0) ;;
      3 | 4) echo "::warning title=modelwatch::The site is made, but something could not be read: see the log." ;;
      *) exit "$code" ;;
    esac
    output site "$MW_SITE"
    ;;
esac
