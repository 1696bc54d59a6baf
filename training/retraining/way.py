"""The way of a retraining: which stages there are, in which order, and what each depends on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from engines.errors import UserError
from engines.presets import DEFAULT_WEIGHTS
from training.lite.settings import Settings
from training.retraining import steps
from training.retraining.plan import Banks, RetrainPlan, banks_of, placed, with_composed, with_real, without_places
from training.retraining.stage import Record, Stage, file_digest, run_stage


class Retraining:
    """Runs the stages of a plan in order; `records` tells how each went."""

    def __init__(self, plan: RetrainPlan) -> None:
        self._plan, self._root = plan, plan.output
        self.records: list[Record] = []

    def run(self) -> Path:
        """All stages; returns the new weights. Raises UserError, which names the stage that failed."""
        plan = self._plan
        backgrounds, backgrounds_key = self._backgrounds()
        banks = banks_of(plan.data or [self._rendered()], plan.settings[0][1])
        data = {"banks": banks.key, "backgrounds": backgrounds_key}
        weights = plan.settings[0][1].start
        for name, settings in plan.settings:
            weights = self._train(name, placed(plan, settings, banks, backgrounds, weights), data)
        if weights is None:
            raise UserError("no settings file: give --config")
        if plan.real or plan.pictures:
            weights, banks = self._with_real(weights, banks, backgrounds, data)
        self._judge(weights, banks)
        engine = partial(steps.build_engine, weights, self._cache, plan.dry_run)
        self._do(Stage("engine", {"weights": file_digest(weights)}, engine))
        if plan.install:
            last = placed(plan, self._last_settings, banks, backgrounds, None)
            stage = Stage("install", {}, lambda _: steps.install(weights, last, plan.force))
            self._do(stage, again=True)  # the weights that ship may have changed
        return weights

    @property
    def _cache(self) -> Path:
        return self._root / "engines"

    def _backgrounds(self) -> tuple[Path, str]:
        """Folder of pictures without hands, and a key of what is in it."""
        given = self._plan.backgrounds
        if given is not None:
            return given.absolute(), file_digest(given)
        count = steps.ROOMS[self._plan.dry_run]
        rooms = self._do(Stage("backgrounds", {"rooms": count}, partial(steps.draw_rooms, count)))
        return Path(rooms.file), "rooms"

    def _rendered(self) -> Path:
        """Folder of a bank made for this run."""
        plan = self._plan
        panoramas = file_digest(plan.backgrounds) if plan.backgrounds else ""
        facts = {"count": plan.count, "shard_size": plan.shard_size, "seed": plan.seed, "panoramas": panoramas}
        return Path(self._do(Stage("render", facts, partial(steps.render, plan))).file)

    def _with_real(self, weights: Path, banks: Banks, backgrounds: Path, data: dict[str, str]) -> tuple[Path, Banks]:
        """MediaPipe's trunk mixed in, then training on rendered and real hands together."""
        plan, (name, settings) = self._plan, self._plan.real_settings
        real = with_real(banks, [*plan.real, *self._labelled()], settings)
        both = self._with_composed(real, placed(plan, settings, real, backgrounds, None).data.cache)
        mixed = Stage("mix-trunk", {"weights": file_digest(weights)}, partial(steps.mix, weights))
        start = Path(self._do(mixed).file)
        run = placed(plan, settings, both, backgrounds, start)
        return self._train(name, run, data | {"banks": both.key}), both

    def _labelled(self) -> list[Path]:
        """Folder of the pictures that are labelled for this run, if there are any; our witness is what ships."""
        pictures, weights = self._plan.pictures, DEFAULT_WEIGHTS["lite"]
        if not pictures:
            return []
        facts = {"pictures": [str(path.absolute()) for path in pictures], "weights": file_digest(weights)}
        return [Path(self._do(Stage("label", facts, partial(steps.label_pictures, pictures, weights))).file)]

    def _with_composed(self, banks: Banks, cache: Path) -> Banks:
        """The same and pairs composed of their real hands, as hands that cover each other cannot be labelled."""
        plan = self._plan
        compose = partial(steps.compose_pairs, banks, plan.seed, cache, plan.dry_run)
        facts = {"banks": banks.key, "seed": plan.seed, "dry": plan.dry_run}
        record = self._do(Stage("compose", facts, compose))
        return with_composed(banks, sorted(path.parent for path in Path(record.file).glob("*/bank.json")))

    @property
    def _last_settings(self) -> Settings:
        plan = self._plan
        return (plan.real_settings if plan.real or plan.pictures else plan.settings[-1])[1]

    def _train(self, name: str, settings: Settings, data: dict[str, str]) -> Path:
        """Train and export; returns the weights."""
        start = settings.start
        if start is not None and not start.exists():
            raise UserError(f"{start}: {name} starts from these weights, and they are not there")
        facts = data | {"start": file_digest(start) if start else "trunk", "settings": without_places(settings)}
        stage = Stage(f"train-{name}", facts, lambda folder: steps.run_training(_into(settings, folder)))
        self._do(stage)
        trained = _into(settings, stage.folder(self._root))
        exported = Stage(f"export-{name}", {"run": stage.key}, partial(steps.export_weights, trained))
        return Path(self._do(exported).file)

    def _judge(self, weights: Path, banks: Banks) -> None:
        """Held-out renders always, real webcam hands if they are there."""
        plan, made = self._plan, {"weights": file_digest(weights), "dry": self._plan.dry_run}
        held_out = partial(steps.judge_held_out, weights, banks, self._cache, plan.dry_run)
        self._do(Stage("evaluate-held-out", made | {"banks": banks.key}, held_out))
        labels = plan.webcam / "labels.json"
        if labels.exists():
            webcam = partial(steps.judge_webcam, weights, plan.webcam, self._cache, plan.dry_run)
            self._do(Stage("evaluate-webcam", made | {"labels": file_digest(labels)}, webcam))

    def _do(self, stage: Stage, again: bool = False) -> Record:
        print(f"- {stage.name}", flush=True)
        record = run_stage(stage, self._root, again)
        print(f"  {record.figure}{' (done before, kept)' if record.kept else ''}", flush=True)
        self.records.append(record)
        return record


def _into(settings: Settings, output: Path) -> Settings:
    return settings.model_copy(update={"output": output})
