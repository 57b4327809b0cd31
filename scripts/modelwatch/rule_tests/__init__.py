"""Tests of rules that people write in YAML: series in, alerts and actions expected."""
