"""The stories that ``modelwatch demo`` tells: four stories, against stand-ins, with the real clients."""
