"""How fast pop3proto is, beside others that do the same: ``python -m benchmarks --help``.

- ``goals`` is the table of what is to be reached, and ``contests`` that of what is measured.
- ``measuring`` runs a contest: each contestant in fresh processes, in rounds that take turns.
  ``meter`` is the clock, and ``instructions`` counts where that is possible.
- ``programs``, ``clients``, ``engine``, ``layers``, ``sessions`` and ``servers`` are the
  contestants; ``server``, ``relay`` and ``corpora`` are what they work on.
- ``reporting`` shows the result of a run, ``document`` writes the pages in ``docs`` from it, and
  ``freshness`` finds out whether they are older than the code.
"""
