# shellcheck shell=bash
# The actions that turn predictions into metrics; sourced by run.sh, which has named the action in $1.
: "${library:?}"
flags+=()

case $1 in
  measure-predictions)
    option since MW_SINCE --since
    option until MW_UNTIL --until
    option partition MW_PARTITION --partition
    modelwatch measure "${flags[@]}"
    ;;
  score-holdout)
    option version MW_VERSION --version
    flag again MW_AGAIN --again
    modelwatch score "${flags[@]}"
    ;;
esac
