from __future__ import annotations


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=3, help="how many rounds the crash tests take")
    parser.addoption("--seed", type=int, default=None, help="of the crash tests: repeats what they do (not when)")
    parser.addoption("--first-round", type=int, default=0, help="of the crash tests: number of the first one")
