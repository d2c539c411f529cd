"""Regret against time of each scheduler on realistic learning curves, in virtual time."""
