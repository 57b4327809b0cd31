"""Profiles: what is kept of a column, in memory that does not grow with rows, and adds up whatever the order.

Counts are whole numbers over edges and vocabularies that a reference fixed once, so that merging the profiles of
partitions, days and workers is associative and commutative to the last digit.
"""
