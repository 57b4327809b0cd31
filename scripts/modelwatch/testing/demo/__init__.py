"""The stories that ``modelwatch demo`` tells: five stories, against stand-ins, with the real clients."""
