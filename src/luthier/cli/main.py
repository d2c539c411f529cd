"""The entry point of the command ``luthier``."""

from __future__ import annotations


def main() -> None:
    """Run the command line; imports wait until somebody does."""
    from luthier.cli.commands import luthier

    luthier(prog_name="luthier")


if __name__ == "__main__":
    main()
