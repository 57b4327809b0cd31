"""A static site that shows the fleet, each model in four views, and each alert with its evidence as it was."""
