"""The whole way from rendered hands to a verified engine; how its stages are kept, resumed, and told when they fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.networks.checkpoints import save_weights
from engines.networks.lite import Lite
from engines.presets import DEFAULT_WEIGHTS
from tests.support.engines import Requests, requests_in_torch  # noqa: F401  pytest finds the fixture here
from tests.support.real_set import write_set
from tests.support.recordings import cut
from tests.support.small_bank import write_shard
from training import pseudo_labels
from training.banks.real_bank import load_real
from training.lite.settings import Settings
from training.retrain import main, summary
from training.retraining.plan import CONFIGS, REAL_CONFIG, Banks, banks_of, settings_of, with_composed, with_real
from training.retraining.stage import Outcome, Record, Stage, run_stage
from training.retraining.steps import install, label_pictures
from training.synth.render.render_bank import check_drawing

ROOT = Path(__file__).parents[2]
SAMPLES = 16
"""Of each training run: two batches, and it is validated once."""
STAGES = [
    *("train-lite", "export-lite", "train-lite_finish", "export-lite_finish"),
    *("compose", "mix-trunk", "train-lite_real", "export-lite_real", "evaluate-held-out", "engine"),
]


def can_draw() -> bool:
    try:
        check_drawing()
    except UserError:
        return False
    return True


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Folder of a dry run with real hands, and its words; where nothing can be drawn it is given shards."""
    folder = tmp_path_factory.mktemp("retrain")
    for name in ("1", "2"):
        write_set(folder / "real", f"set{name}", 6)
    arguments = ["--dry-run", "--workers", "1", "--output", str(folder / "out"), "--webcam", str(folder / "none")]
    arguments += [word for config in CONFIGS for word in ("--config", str(ROOT / config))]
    arguments += ["--real-config", str(ROOT / REAL_CONFIG), "--real", str(folder / "real")]
    arguments += ["--set", f"schedule.samples={SAMPLES}"]
    if can_draw():
        arguments += ["--count", "8", "--shard-size", "4"]
    else:
        for name in ("1", "2"):
            write_shard(folder / "bank", name, 16, seed=int(name))
        arguments += ["--data", str(folder / "bank")]
    assert main(arguments) == 0
    return folder / "out", arguments


def records(folder: Path) -> dict[str, dict]:
    return {record["name"]: record for record in json.loads((folder / "summary.json").read_text())}


def test_a_dry_run_goes_the_whole_way(made: tuple[Path, list[str]]) -> None:
    done = records(made[0])
    assert list(done)[-len(STAGES) :] == STAGES
    assert not any(record["kept"] for record in done.values())
    assert all(Path(record["file"]).exists() for record in done.values())
    weights = Path(done["export-lite_real"]["file"])
    facts = json.loads(weights.with_suffix(".json").read_text())
    assert facts["samples"] == 3 * SAMPLES, "each run starts from the weights of the one before"
    engine = open_backend(EngineRequest(weights=weights, backend="torch"))
    found = engine(np.zeros((1, engine.input_px, engine.input_px, 3), np.uint8))
    assert all(np.isfinite(value).all() for value in found.values())
    figures = json.loads(Path(done["evaluate-held-out"]["file"]).read_text())
    assert figures["turned crop"]["error_2d_px"] > 0
    assert (Path(done["evaluate-held-out"]["file"]).parent / "report" / "report.md").exists()
    assert json.loads(Path(done["engine"]["file"]).read_text())["joints_px_mean"] < 1.5


def test_finished_stages_are_kept_and_broken_ones_done_anew(
    made: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, arguments = made
    damaged = Path(records(folder)["engine"]["file"])
    damaged.write_text("{}")
    assert main(arguments) == 0
    assert [name for name, record in records(folder).items() if not record["kept"]] == ["engine"]
    assert "* done before, kept" in capsys.readouterr().out
    assert len(damaged.read_text()) > 10


def test_other_settings_are_another_run_and_a_failure_names_its_stage(
    made: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The bank is the same and kept; the training is another one, and fails."""
    folder, arguments = made
    before = sorted(folder.glob("train-*"))
    assert main([*arguments, "--set", "loss.heatmap=.inf"]) == 2
    told = capsys.readouterr()
    line = told.err.strip().splitlines()[-1]
    assert line.startswith("error: stage train-lite: the loss is no number")
    assert "(done before, kept)" in told.out
    assert len(sorted(folder.glob("train-*"))) == len(before) + 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "schedule.sample=3"], "sample"),
        (["--config", "none.yaml"], "no such settings file"),
        (["--backgrounds", "none"], "no such folder"),
        (["--data", "none"], "takes two"),
        (["--install"], "--install with --dry-run"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", str(ROOT / CONFIGS[0])]
    assert main(["--dry-run", "--output", str(tmp_path / "out"), *config, *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith("error: ") and message in error[0]


def counted(times: list[int]) -> Callable[[Path], Outcome]:
    def work(folder: Path) -> Outcome:
        times.append(1)
        (folder / "result").write_text("done")
        return Outcome("fine", folder / "result")

    return work


def test_a_stage_is_done_once_for_each_of_its_settings(tmp_path: Path) -> None:
    times: list[int] = []
    for value, done in ((1, 1), (1, 1), (2, 2), (1, 2)):
        record = run_stage(Stage("work", {"value": value}, counted(times)), tmp_path)
        assert len(times) == done
    assert record == Record("work", record.seconds, "fine", record.file, kept=True)
    (Path(record.file)).write_text("another")
    assert not run_stage(Stage("work", {"value": 1}, counted(times)), tmp_path).kept
    assert not run_stage(Stage("work", {"value": 1}, counted(times)), tmp_path, again=True).kept


def test_an_interrupted_stage_goes_on_with_what_it_left(tmp_path: Path) -> None:
    seen: list[int] = []

    def work(folder: Path) -> Outcome:
        part = folder / "part"
        seen.append(int(part.read_text()) if part.exists() else 0)
        part.write_text(str(seen[-1] + 1))
        if seen[-1] < 2:
            raise KeyboardInterrupt
        return Outcome("fine", part)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_stage(Stage("work", {}, work), tmp_path)
    assert not run_stage(Stage("work", {}, work), tmp_path).kept
    assert seen == [0, 1, 2]


def test_a_librarys_error_is_one_line_that_names_the_stage(tmp_path: Path) -> None:
    def work(folder: Path) -> Outcome:
        raise RuntimeError("out of memory:\n  tried to allocate")

    with pytest.raises(UserError, match=r"^stage work: RuntimeError: out of memory: tried to allocate$"):
        run_stage(Stage("work", {}, work), tmp_path)


@pytest.fixture(scope="module")
def exported(made: tuple[Path, list[str]]) -> tuple[Path, Settings]:
    """New weights, and settings with their held-out shards."""
    folder, _ = made
    done = records(folder)
    bank = Path(done["render"]["file"]) if "render" in done else folder.parent / "bank"
    settings = settings_of(ROOT / CONFIGS[1], (), dry_run=True)
    data = settings.data.model_copy(
        update={
            "banks": list(banks_of([bank], settings).banks),
            "backgrounds": Path(done["backgrounds"]["file"]),
            "cache": folder / "decoded",
        }
    )
    return Path(done["export-lite_finish"]["file"]), settings.model_copy(update={"data": data})


def test_only_better_weights_are_installed_unless_forced(exported: tuple[Path, Settings], tmp_path: Path) -> None:
    new, settings = exported
    shipped = tmp_path / "lite.safetensors"
    for suffix in (".safetensors", ".json"):
        shutil.copy(ROOT / "weights" / f"lite{suffix}", shipped.with_suffix(suffix))
    before = shipped.read_bytes()
    assert "kept the old ones" in install(new, settings, force=False, shipped=shipped).figure
    assert shipped.read_bytes() == before
    assert "installed" in install(new, settings, force=True, shipped=shipped).figure
    assert shipped.read_bytes() == new.read_bytes()
    assert json.loads(shipped.with_suffix(".json").read_text())["samples"] == 2 * SAMPLES
    assert install(new, settings, force=False, shipped=shipped).figure == "already in place"
    better = ROOT / "weights" / "lite.safetensors"
    assert "installed" in install(better, settings, force=False, shipped=shipped).figure


@pytest.mark.parametrize("damage", ["another network", "cut off"])
def test_old_weights_that_cannot_be_read_are_replaced(
    exported: tuple[Path, Settings], tmp_path: Path, damage: str
) -> None:
    new, settings = exported
    shipped = tmp_path / "lite.safetensors"
    if damage == "another network":
        save_weights(Lite(width=32), shipped, {})
    else:
        shipped.write_bytes(new.read_bytes()[:1000])
    told = install(new, settings, force=True, shipped=shipped).figure
    assert told.startswith("installed") and "the old ones could not be read" in told
    assert shipped.read_bytes() == new.read_bytes()


def test_held_out_shards_are_those_of_the_settings_or_the_last(tmp_path: Path) -> None:
    for name in range(9):
        write_shard(tmp_path / "bank", f"{name:03d}", 1, seed=name)
    settings = settings_of(ROOT / CONFIGS[0], (), dry_run=True)
    (split,) = banks_of([tmp_path / "bank"], settings).banks
    assert (split.train[0], split.train[-1], split.validation) == ("000", "007", ["008"])
    own = split.model_copy(update={"validation": ["003"], "train": ["000"]})
    named = settings.model_copy(update={"data": settings.data.model_copy(update={"banks": [own]})})
    assert banks_of([tmp_path / "bank"], named).banks == (own,)
    key = banks_of([tmp_path / "bank"], settings).key
    write_shard(tmp_path / "bank", "004", 1, seed=99)
    assert banks_of([tmp_path / "bank"], settings).key != key
    (tmp_path / "bank" / "shard-004.tar").unlink()
    with pytest.raises(UserError, match=r"shard-004\.tar: half of a shard"):
        banks_of([tmp_path / "bank"], settings)


def test_summary_is_a_table() -> None:
    rows = [Record("a", 3.21, "x", "f", kept=False), Record("longer", 7300.0, "yy", "g", kept=True)]
    lines = summary(rows).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["a", "3.2", "s", "x", "f"],
        ["longer", "2", "h", "02", "min*", "yy", "g"],
    ]
    assert lines[1].index(" f") == lines[2].index(" g")


def test_a_users_real_hands_are_learnt_from_last(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    """MediaPipe's trunk is mixed in first; one of two sets is held out."""
    folder, arguments = made
    facts = json.loads(Path(records(folder)["export-lite_real"]["file"]).with_suffix(".json").read_text())
    assert "MediaPipe" in facts["start"]["mixed"]
    assert "set1" in facts["data"] and "set2" not in facts["data"]
    assert facts["held_out"]["real_px"] > 0
    assert main([*arguments, "--pictures", str(tmp_path / "none")]) == 2
    (tmp_path / "empty").mkdir()
    assert main([*arguments, "--real", str(tmp_path / "empty")]) == 2


def test_a_users_pictures_are_labelled_for_the_run(
    tmp_path: Path,
    requests_in_torch: Requests,  # noqa: F811
) -> None:
    """Frames of the sample clip, whose hands are rendered, but well enough for both witnesses."""
    requests_in_torch(pseudo_labels)
    clip = cut(tmp_path / "clip.mp4", 120, 110)  # one picture in fifteen is taken
    outcome = label_pictures([clip], DEFAULT_WEIGHTS["lite"], tmp_path)
    assert outcome.file == tmp_path / "real"
    names = [path.stem for path in (tmp_path / "real").glob("*.npz")]
    assert len(load_real(tmp_path / "real", names[0], 96, tmp_path / "cache")) > 3
    settings = settings_of(ROOT / REAL_CONFIG, [], dry_run=True)
    (bank,) = with_real(Banks((), ""), [tmp_path / "real"], settings).banks
    assert (bank.kind, bank.train) == ("real", names)


def test_other_composed_pairs_are_other_training_data(tmp_path: Path) -> None:
    """As many folders of as many pairs: the key is of what they hold."""
    for name, count in (("a", 3), ("b", 6)):
        write_set(tmp_path / name, "composed-000", count)
    none, one, other = (with_composed(Banks((), ""), roots) for roots in ([], [tmp_path / "a"], [tmp_path / "b"]))
    assert len({none.key, one.key, other.key}) == 3
    assert with_composed(Banks((), ""), [tmp_path / "a"]) == one
    assert [(bank.kind, bank.train, bank.validation) for bank in one.banks] == [("real", ["all"], [])]
