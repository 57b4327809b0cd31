"""Where series come from: the W&B API, offline W&B run directories, tables."""
