"""PagerDuty as code: who is on call, from the configuration. Pure planning, and applying through ``clients``."""
