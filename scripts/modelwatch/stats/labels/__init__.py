"""When labels come, which of them come, and what that does to what is computed from them."""
