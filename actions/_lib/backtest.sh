# shellcheck shell=bash
# The action that replays history, for a pull request; sourced by run.sh.
: "${library:?}" "${out:?}"
flags+=()

# The base branch as `fetch-depth: 0` brings it.
MW_AGAINST=${MW_AGAINST:-${GITHUB_BASE_REF:+origin/$GITHUB_BASE_REF}}
option against MW_AGAINST --against
option since MW_SINCE --since
option every MW_EVERY --every
option incidents MW_INCIDENTS --incidents
if truth issues MW_ISSUES; then flags+=(--issues); else flags+=(--no-issues); fi
line pull-request MW_PULL_REQUEST
line head-repository MW_HEAD_REPOSITORY

fork=''
if [[ -n $MW_PULL_REQUEST && $MW_HEAD_REPOSITORY == "$GITHUB_REPOSITORY" ]]; then
  flags+=("--comment=$MW_PULL_REQUEST")
elif [[ -n $MW_PULL_REQUEST ]]; then
  fork=true
  summarize "This pull request comes from a fork: GitHub lets its workflow write no comment and gives it no secrets. So the result is here."
fi
modelwatch backtest --format=markdown "${flags[@]}"
if [[ -n $fork && $code -eq 3 ]]; then
  echo "::warning title=modelwatch::A source could not be read, which a pull request from a fork has no key for: see the summary."
  code=0
fi

# Tests of rules beside the configuration, too: one that fails fails the job, after the comment is written.
folder=$MW_CONFIG
[[ -d $folder ]] || folder=$(dirname -- "$folder")
if compgen -G "$folder/*modelwatch-tests.y*ml" >/dev/null; then modelwatch test; fi
