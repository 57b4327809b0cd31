"""Pure numerics on NumPy arrays: no input or output, no clock."""
