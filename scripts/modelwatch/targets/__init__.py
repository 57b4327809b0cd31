"""Where modelwatch acts: GitHub issues, PagerDuty incidents and workflow runs; each is observed, planned, applied."""
