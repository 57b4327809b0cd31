"""A/B experiments: intervals that hold at every look, sample ratios, covariates, and how long it takes."""
