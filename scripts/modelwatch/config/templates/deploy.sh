#!/usr/bin/env bash
# Makes $MODELWATCH_SERVING true: which versions serve when this script has ended, each with its percent of the traffic,
# such as `v2:100`, `v2:95 v3:5` for a canary, or `fallback:100` while the model is degraded. It must be safe to run
# twice. https://github.com/__slug__/blob/main/.github/DEPLOY.md has scripts for SageMaker, KServe,
# Vertex AI and Kubernetes.
set -euo pipefail

for share in ${MODELWATCH_SERVING:?}; do
  echo "version ${share%:*} must get ${share#*:} % of the traffic"
done
echo "deploy.sh deploys nothing yet: write here how, and exit with 0 only when it is true"
exit 1
