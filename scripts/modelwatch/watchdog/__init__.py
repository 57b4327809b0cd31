"""The watch on modelwatch itself: what would keep an alert from reaching people, as conditions that are checked from
outside.

It shares only the clients with what it watches, so that a mistake there does not blind it, too. It reads no
configuration: every setting comes from the command line.
"""
