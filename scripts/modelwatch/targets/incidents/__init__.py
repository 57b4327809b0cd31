"""The PagerDuty incident of a group: when it is triggered and resolved, how, and its text."""
