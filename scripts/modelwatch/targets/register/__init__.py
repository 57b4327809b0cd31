"""The register: the state of a group, kept as JSON in its issue."""
