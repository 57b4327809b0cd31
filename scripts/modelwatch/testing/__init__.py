"""Stand-ins for W&B, GitHub and PagerDuty on loopback, and the demo; the extra ``testing``."""
