"""What Luthier costs, in time and memory: one module, one command, one line of JSON each."""
