"""Sessions with the outside world: bounded in time and in tries, errors in plain words, secrets masked."""
