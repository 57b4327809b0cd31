"""What comes back from PagerDuty: decode the event, decide, act."""
