"""From series to findings, without input or output: evaluation times, windows, baselines, tiers, significance."""
