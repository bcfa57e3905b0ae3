"""What a run leaves behind: the results directory and the files in it.

Writing fields (`vtkhdf`) needs DOLFINx; `reading`, `results` and `series` need NumPy and h5py only,
so that a report or a notebook works on a machine without DOLFINx.
"""
