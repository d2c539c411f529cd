"""Adapters from user-written, Ray-shaped objects to the core's.  The only place that knows those shapes."""
