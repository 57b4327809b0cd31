"""The stories that ``modelwatch demo`` tells: three models, against stand-ins, with the real clients."""
