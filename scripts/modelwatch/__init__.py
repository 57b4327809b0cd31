"""Judge what W&B says about models in production, and make GitHub and PagerDuty agree with the judgement."""

__version__ = "0.1.0"
