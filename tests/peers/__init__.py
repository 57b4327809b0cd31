"""Our statistics beside those of Evidently and NannyML, each in an environment of its own (``make check-peers``)."""
