"""Agents: they run a sweep's trials on any machine."""
