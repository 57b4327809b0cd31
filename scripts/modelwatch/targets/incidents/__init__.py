"""The target that triggers and resolves the PagerDuty incident of a group."""
