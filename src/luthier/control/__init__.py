"""The controller (decide, store, act) and the loop that drives an experiment with it."""
