"""From PagerDuty's webhooks to GitHub's repository_dispatch: stateless, forwards before it answers."""
