from __future__ import annotations


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=3, help="how many rounds the crash tests take")
    parser.addoption("--seed", type=int, default=None, help="of crash and differential tests: repeats what they do")
    parser.addoption("--first-round", type=int, default=0, help="of the crash tests: number of the first one")
    parser.addoption("--peers", default=None, help="of the differential tests: a Python that has Ray Tune")
    parser.addoption("--cases", type=int, default=200, help="of the differential tests: how many new ones Ray plays")
