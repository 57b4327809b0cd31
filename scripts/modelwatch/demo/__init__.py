"""The story that ``modelwatch demo`` tells: thirty days of a churn model, against stand-ins, with the real clients."""
