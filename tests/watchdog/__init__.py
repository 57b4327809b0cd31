"""The watch on modelwatch itself, by its command against the stand-ins."""
