"""Where a prediction log is read and counted: in this process, or by the workers of Spark, Dask or Ray."""
