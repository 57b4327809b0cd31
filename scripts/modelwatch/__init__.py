"""Evaluate the W&B metrics of production models, and keep GitHub issues, workflows and PagerDuty in step."""

__version__ = "0.1.0"
