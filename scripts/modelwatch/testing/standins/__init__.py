"""Loopback W&B, GitHub and PagerDuty: stateful servers that the real clients talk to, for demo, drills and tests."""
