"""Every figure that the project promises, measured against a named reference in the same session."""
