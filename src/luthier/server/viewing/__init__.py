"""``luthier ui``: the server's pages over a directory of experiments, which is only read."""
