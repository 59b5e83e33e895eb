"""The training loop: one task, its optimiser, its checkpoints and its journal.

A killed run that is started again ends with the same bits as one that was never killed (on a CPU
with the same number of threads): all that a step draws comes from (seed, step), and all that it
carries over is in the checkpoint.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from encoders.binding.journal import Journal
from encoders.binding.optimiser import adamw
from encoders.binding.recipe import Recipe, rate_at
from streamer.errors import ConfigError, EncoderFailed

LOG_STEPS = 20
SAVE_S = 60.0
SCORES = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one step: the loss, and how often an item found its own partner in the batch."""

    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is trained. `backward(step)` leaves gradients in `model`, `score()` is on new data."""

    model: nn.Module
    backward: Callable[[int], Outcome]
    score: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is, for whoever shows it."""

    stage: str
    step: int
    steps: int
    batch: int
    loss: float
    accuracy: float
    samples_per_s: float


class Interrupted(Exception):
    """Training was asked to stop; the checkpoint is written."""


def fit(
    name: str,
    task: Task,
    recipe: Recipe,
    folder: Path,
    *,
    seed: int,
    settings: str,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Progress], None] = lambda progress: None,
    save_s: float = SAVE_S,
) -> float:
    """Train to the end, from `folder/last.pt` where there is one. Returns seconds of training.

    `settings` is kept with the checkpoint: one that was made under others raises `ConfigError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained = [p for p in task.model.parameters() if p.requires_grad]
    optimiser = adamw(task.model.named_parameters(), recipe.weight_decay, recipe.beta2)
    step, seconds = _restore(folder / "last.pt", task.model, optimiser, settings)
    journal = Journal(folder / "log.jsonl", step)
    losses: list[float] = []
    accuracies: list[float] = []
    saved = logged = perf_counter()
    while step < recipe.steps:
        if stop():
            _save(folder / "last.pt", task.model, optimiser, settings, step, seconds)
            raise Interrupted
        rate = rate_at(step, recipe.steps, recipe.warm_up, recipe.rate)
        for group in optimiser.param_groups:
            group["lr"] = rate
        # For dropout and stochastic depth, which draw from the global generator.
        torch.manual_seed(seed * 1_000_003 + step)
        task.model.train()
        optimiser.zero_grad()
        outcome = task.backward(step)
        norm = nn.utils.clip_grad_norm_(trained, recipe.clip, foreach=True)
        optimiser.step()
        step += 1
        losses.append(outcome.loss)
        accuracies.append(outcome.accuracy)
        last = step == recipe.steps
        if step % LOG_STEPS == 0 or last:
            now = perf_counter()
            loss, accuracy = _mean(losses), _mean(accuracies)
            if not loss < float("inf"):
                raise EncoderFailed(f"{name}: the loss is {loss} at step {step}; try a lower rate")
            speed = len(losses) * recipe.batch / (now - logged)
            seconds += now - logged
            record: dict[str, Any] = {
                "step": step,
                "samples": step * recipe.batch,
                "loss": round(loss, 5),
                "accuracy": round(accuracy, 4),
                "rate": rate,
                "norm": round(float(norm), 4),
                "samples_per_s": round(speed, 1),
            }
            if last or step * SCORES // recipe.steps != (step - LOG_STEPS) * SCORES // recipe.steps:
                record["held_out"] = round(_score(task), 4)
            journal.add(record)
            report(Progress(name, step, recipe.steps, recipe.batch, loss, accuracy, speed))
            losses.clear()
            accuracies.clear()
            logged = perf_counter()
        if perf_counter() - saved > save_s or last:
            _save(folder / "last.pt", task.model, optimiser, settings, step, seconds)
            saved = perf_counter()
    return seconds


@torch.no_grad()
def _score(task: Task) -> float:
    task.model.eval()
    return task.score()


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


def _save(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    settings: str,
    step: int,
    seconds: float,
) -> None:
    """Whole or not at all, even if the power fails."""
    made = path.with_suffix(".tmp")
    with made.open("wb") as file:
        torch.save(
            {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "settings": settings,
                "step": step,
                "seconds": seconds,
            },
            file,
        )
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)


def _restore(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, settings: str
) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    kept: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if kept["settings"] != settings:
        raise ConfigError(
            f"{path}: was made with other settings than the configuration's; expected the same, or"
            " another --out"
        )
    model.load_state_dict(kept["model"])
    optimiser.load_state_dict(kept["optimiser"])
    return int(kept["step"]), float(kept["seconds"])


def accuracy(vectors_a: Tensor, vectors_b: Tensor, same: Tensor) -> float:
    """Share of both sides' items whose most similar item on the other side is their own partner.

    Partners that count as the same are left out of the competition.
    """
    cosines = (vectors_a.detach() @ vectors_b.detach().T).masked_fill(same, -2)
    own = torch.arange(len(cosines), device=cosines.device)
    there, back = cosines.argmax(dim=1) == own, cosines.argmax(dim=0) == own
    return float((there.float().mean() + back.float().mean()) / 2)
