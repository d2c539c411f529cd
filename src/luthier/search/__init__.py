"""Searchers: policies that choose configs, one file each."""

from __future__ import annotations
