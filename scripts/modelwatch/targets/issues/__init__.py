"""The target that writes the GitHub issue of a group: its evidence, answers to commands, and the register."""
