"""The report: `report.html` and `figures/*.png`, made from the files of a results directory alone.

Nothing here needs DOLFINx, so a report can be made again, or on another machine. It reads
- `summary.json`: status, model, title, failure, observables (`fem_rd.output.results`)
- `run.json`: everything listed at `fem_rd.output.provenance.RunRecord`
- `observables.csv` (`fem_rd.output.series`) and `fields.vtkhdf` (`fem_rd.output.reading`)
and shows what it finds: a run that failed early has a report as well.
"""

from __future__ import annotations

from pathlib import Path


def write_report(results_dir: Path) -> Path:
    """Write `report.html` and its figures into ``results_dir``; the path of the page.

    Raises CaseError where ``results_dir`` is no results directory, FemRdError where a file in it
    cannot be read or the report cannot be written.
    """
    from fem_rd.report.page import write_page  # Matplotlib and Jinja only when needed

    return write_page(results_dir)
