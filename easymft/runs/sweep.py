"""Many runs of one recipe and the tables made of them: methods x seeds x variations."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from easymft import files
from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.report.sweep_tables import (
    render_latex,
    render_markdown_tables,
    render_sweep_html,
)
from easymft.runs.evidence import (
    RunEvidence,
    RunKey,
    evidence_figures,
    read_evidence,
    run_evidence,
    write_evidence,
)
from easymft.runs.folder import RunFolder, first_difference, with_later_settings
from easymft.runs.lock import in_turn
from easymft.runs.run import Run
from easymft.runs.sweep_runner import SweepRun, SweepRunner


class Sweep:
    """The runs of a recipe's `sweep`, and their tables.

    Leaves, under `output_dir/<recipe>/`: a run folder each (`<variation>/<method>/seed-<n>`),
    `predictions.parquet` and `results.parquet` (see `easymft.runs.evidence`), `tables.md`,
    `tables.tex` and `report.html`. These are written anew after every run, so an unfinished sweep
    already has some.

    Args:
        recipe: Path of a recipe with a `sweep` section.
        overrides: `key=value` settings of the command line.
    """

    def __init__(self, recipe: str | Path, overrides: Sequence[str] = ()):
        self.config = load_config(recipe, overrides)
        self.folder = Path(self.config.output_dir) / self.config.name
        self._runner = SweepRunner(recipe, overrides, self.folder)

    def planned_runs(self) -> list[SweepRun]:
        """Return every run, seed by seed, so that what is there early compares all methods."""
        sweep = self.config.sweep
        return [
            SweepRun(name, method, seed, {**settings, **sweep.per_method.get(method, {})})
            for name, settings in sweep.variations.items()
            if sweep.only is None or name in sweep.only
            for seed in sweep.seeds
            for method in sweep.methods_of.get(name, sweep.methods)
        ]

    def plan(self) -> Iterator[str]:
        """Yield what `run` would do, line by line."""
        planned = self.planned_runs()
        kept = self._kept(planned)
        if kept:
            yield f"{len(kept)} of {len(planned)} runs stand in {self.config.sweep.results}"
        if waiting := [sweep_run for sweep_run in planned if sweep_run.key not in kept]:
            yield from self._runner.plan(waiting)

    def run(self, restart: bool = False) -> str:
        """Run what is not finished, or all anew; return the tables as Markdown.

        Several processes may do so at once, each the runs that no other works on: the tables that
        the last one writes are those of all.
        """
        planned, text = self.planned_runs(), ""
        found = {} if restart else self._kept(planned)
        waiting = [sweep_run for sweep_run in planned if sweep_run.key not in found]
        for sweep_run, run, summary, fresh in self._runner.run(waiting, restart):
            found[sweep_run.key] = run_evidence(sweep_run.key, run, summary)
            text = self._write(planned, found, restart) if fresh else ""
        return text or self._write(planned, found, restart)

    def move_aside(self) -> None:
        """Move all runs aside, before several processes begin anew."""
        self._runner.move_aside(self.planned_runs())

    def _kept(self, planned: Sequence[SweepRun]) -> dict[RunKey, RunEvidence]:
        """Return the runs that stand in `sweep.results` and are not finished in the own folder.

        Raises:
            InputError: They were made with other settings, or of other data than those at hand.
        """
        folder, kept = self.config.sweep.results, {}
        if folder is None:
            return kept
        found, waiting = read_evidence(folder), {}
        for sweep_run in planned:
            config = self._runner.config(sweep_run)
            if sweep_run.key not in found:
                waiting.setdefault(sweep_run.variation, config)
            elif not RunFolder(config).is_done("report"):
                saved = with_later_settings(json.loads(found[sweep_run.key].results[0]["recipe"]))
                if difference := first_difference(saved, config.to_dict()):
                    raise _other_runs(folder, f"{sweep_run}: {difference}")
                kept[sweep_run.key] = found[sweep_run.key]
        for (variation, *_), run in kept.items():
            if variation in waiting:
                fingerprint = Run(waiting.pop(variation)).data.fingerprint
                if fingerprint != run.results[0]["fingerprint"]:
                    raise _other_runs(folder, f"{variation}: their data are not those found here")
        return kept

    def _write(
        self, planned: Sequence[SweepRun], found: dict[RunKey, RunEvidence], restart: bool
    ) -> str:
        # One after another, or who knows fewer runs could write over what another wrote.
        with in_turn(self.folder / "tables"):
            # What is to begin anew does not count, even if it is finished.
            for sweep_run in () if restart else planned:
                others = None if sweep_run.key in found else self._runner.finished(sweep_run)
                if others is not None:
                    found[sweep_run.key] = run_evidence(sweep_run.key, *others)
            runs = [found[sweep_run.key] for sweep_run in planned if sweep_run.key in found]
            return self._write_tables(runs)

    def _write_tables(self, runs: Sequence[RunEvidence]) -> str:
        write_evidence(self.folder, runs, self.config)
        figures = evidence_figures(
            runs, self.config.sweep.compare_with, self.config.sweep.compare_in
        )
        text = render_markdown_tables(figures)
        files.write_text(self.folder / "tables.md", text)
        files.write_text(self.folder / "tables.tex", render_latex(figures))
        html = render_sweep_html(self.config.name, self.config.description, figures)
        files.write_text(self.folder / "report.html", html)
        return text


def _other_runs(folder: str, difference: str) -> InputError:
    return InputError(
        f"holds other runs than this sweep asks for ({difference}); `--set sweep.results=null` or "
        "`--restart` makes them anew",
        file=folder,
        field="sweep.results",
    )
