"""Two models on the same rows: what differs between them, with intervals that know that the rows are the same."""
