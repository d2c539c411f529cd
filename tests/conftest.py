from __future__ import annotations


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=3, help="how often the crash tests kill the driver")
