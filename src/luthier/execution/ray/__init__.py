"""Trials as actors of a Ray cluster; importing this package imports no Ray."""
