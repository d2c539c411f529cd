"""The pure core: spaces, events, state, the policies' protocols and the engine.

Nothing here reads a clock, a file, a random source or the network.
"""
