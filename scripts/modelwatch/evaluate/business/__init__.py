"""What a model is worth: daily amounts, the money of alerts, the return on investment."""
