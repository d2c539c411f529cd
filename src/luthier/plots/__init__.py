"""Figures of an experiment, made with plotly: ``pip install 'luthier[plot]'``.

A figure is a pure function of a :class:`~luthier.plots.chronicle.Chronicle`: plain columns that were read from a log.
Notebooks (``results.plot_slice()``), the command line (``luthier plot``) and pages use the same functions.
"""
