"""The same workloads on Luthier and on its peers: ``python -m benchmarks.sides.with_SIDE WORKLOAD N DIRECTORY``.

Each prints one line of JSON: how many were done, and the seconds that it took to do them.
"""
