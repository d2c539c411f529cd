"""Sweeps: their description, and the client of the server that holds them."""
