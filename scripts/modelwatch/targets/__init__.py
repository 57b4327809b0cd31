"""Where we act: each target is observed, and changed only where it still is as the plan expects."""
