"""The performance of a model on rows whose labels are not known, estimated from rows whose labels are."""
