"""Prediction logs -> profiles -> what W&B is told: the batch half."""
