"""Trials on the workers of a Dask cluster; importing this package imports no Dask."""
