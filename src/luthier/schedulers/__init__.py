"""Schedulers and stoppers: policies that judge trials, one file each."""
