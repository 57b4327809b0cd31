"""The words of modelwatch as frozen dataclasses; standard library only."""
