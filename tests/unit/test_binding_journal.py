from pathlib import Path

import pytest

from encoders.binding.journal import Journal, plot, read


def test_what_a_killed_run_wrote_after_its_checkpoint_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    first = Journal(path, 0)
    for step in (20, 40, 60):
        first.add({"step": step, "loss": 1 / step})
    with path.open("a") as file:
        file.write('{"step": 80, "lo')  # cut short
    assert [record["step"] for record in read(path)] == [20, 40, 60]
    Journal(path, 40).add({"step": 60, "loss": 7.0})
    assert [(r["step"], r["loss"]) for r in read(path)] == [(20, 1 / 20), (40, 1 / 40), (60, 7.0)]


def test_nothing_that_is_not_json_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl", 0)
    with pytest.raises(ValueError, match="JSON"):
        journal.add({"step": 1, "loss": float("nan")})


def test_the_plot_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib (the extra train)")
    records = [{"samples": 64 * i, "loss": 4 / i, "accuracy": 0.1 * i} for i in range(1, 9)]
    path = tmp_path / "loss.png"
    plot({"vision": records, "audio": records[:2]}, path)
    assert path.read_bytes().startswith(b"\x89PNG")
