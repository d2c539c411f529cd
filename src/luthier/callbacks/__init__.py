"""Listeners: files of results, and what a person sees.  Nothing is imported here."""

from __future__ import annotations
