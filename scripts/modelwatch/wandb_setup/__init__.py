"""The inside of W&B as code: a view, a report and automations. Pure planning, and applying through ``clients``."""
