"""The drill's own model: a rule for every scenario, for models that have none of that kind."""

from __future__ import annotations

OWN_MODEL = """\
version: 1
models:
  - name: drill
    wandb: {entity: drill, project: modelwatch-drill, version: model_version, time: drill/time}
    pagerduty: {routing_key: "${DRILL_ROUTING_KEY}"}
    github: {repository: drill/modelwatch-drill}
    workflows:
      retrain: retrain.yml
      rollback: {file: rollback.yml, mode: act, automatic_within: 24h}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 2h
        every: 1h
        baseline: {value: 0.92, n: 100000}
        tiers:
          error: {drop: 5%, do: [issue, page, retrain]}
          critical: {drop: 10%, do: [issue, page, rollback]}
      - name: inputs
        kind: data-drift
        drift: "features/*"
        method: psi
        window: 2h
        every: 1h
        baseline: {rolling: 3d}
        tiers: {warning: {above: 0.1, do: [issue]}, error: {above: 0.25, do: [issue, page, retrain]}}
      - name: missing
        kind: data-quality
        metric: eval/missing
        weight: eval/n
        better: lower
        window: 2h
        every: 1h
        tiers: {error: {above: 5%, do: [issue, page]}}
      - name: label-delay
        kind: label-delay
        metric: labels/delay_hours
        better: lower
        window: 2h
        every: 1h
        tiers: {warning: {above: 24, do: [issue]}}
      - name: latency
        kind: latency
        metric: serving/latency_ms
        better: lower
        window: 2h
        every: 1h
        tiers: {error: {above: 250, do: [issue, page]}}
"""
