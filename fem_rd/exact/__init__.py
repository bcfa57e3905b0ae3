"""Closed forms and convergent series to verify against, each with its source and its limits.

Units are whatever consistent set the caller uses (length, time, amount). Rates are amounts per
time at the stated far-field concentration: at concentration 1 they are rate constants
(volume/time). One module per topic: `capture`, `potential`, `shapes`, `patch`, `localised`,
`doi`, `first_passage`. NumPy and SciPy only.
"""
