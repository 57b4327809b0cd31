"""Replays history through the code that judges, groups and plans: what a configuration would have done."""
