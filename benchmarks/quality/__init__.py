"""How good the points are that search algorithms propose, ours beside those of other libraries."""
