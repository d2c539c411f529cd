"""What is wrong with a checkpoint, as far as can be told without loading it."""

from __future__ import annotations

import os

from luthier.checkpoints.base import DICT_FILE

_STOP = b"."  # the last byte of every pickle


def flaw_in(folder: str) -> str:
    """Return what keeps the checkpoint in *folder* from being loaded; empty where nothing is known to.

    Checkpoints are published whole; but somebody may have deleted one, and a power cut may have cut off what was
    written in the seconds before it.

    >>> flaw_in("/never/was")
    'is gone'
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if DICT_FILE in names:
        try:
            with open(os.path.join(folder, DICT_FILE), "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 1))
                last = file.read(1)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if last != _STOP:
            return "is damaged (its pickled dict was cut off)"
    return ""
