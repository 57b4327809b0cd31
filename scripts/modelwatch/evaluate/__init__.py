"""From series to findings, purely: the grid, windows, baselines, tiers and significance."""
