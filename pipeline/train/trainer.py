"""Lightning's trainer as this house wants it: quiet, on one thread, and to be killed at any time."""

import logging
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from torch.utils.data import DataLoader

from pipeline import experiments, features
from pipeline.params import Train
from pipeline.progress import say
from pipeline.train.heads import MCC, UNSEEN, Batch, Heads


def fit(
    heads: Heads, taught: "DataLoader[Batch]", unseen: "DataLoader[Batch]", params: Train, name: str
) -> None:
    """Goes on where a killed fit of the same name stopped; the name must tell all that the fit depends on."""
    checkpoint = Path(os.environ.get("CHECKPOINTS", "var/checkpoints")) / f"{name}.ckpt"
    if params.trainer.compile:
        heads.compile()
    with features.one_thread(), quiet():
        ours = _trainer(params, checkpoint, shared=heads.settings[0].kind != "logistic")
        ours.fit(heads, taught, unseen, ckpt_path=checkpoint if checkpoint.exists() else None)
    checkpoint.unlink(missing_ok=True)


def _trainer(params: Train, checkpoint: Path, shared: bool) -> lightning.Trainer:
    """Only what is dealt in batches can be shared; each process would do the whole of L-BFGS."""
    processes = params.trainer.processes if shared else 1
    best: dict[str, Any] = {"loss": (UNSEEN, "min"), "mcc": (MCC, "max")}
    monitor, mode = best[params.watch]
    stop = EarlyStopping(monitor, mode=mode, patience=params.patience)
    return lightning.Trainer(
        accelerator="cpu" if os.environ.get("DEVICE", "cpu") == "cpu" else "gpu",
        devices=processes,
        strategy="ddp_spawn" if processes > 1 else "auto",
        precision=params.trainer.precision,
        max_epochs=params.epochs,
        logger=_logger(params.trainer.wandb),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=[Spoken(), stop, Kept(checkpoint, params.trainer.keep_every)],
    )


def _logger(project: str | None) -> Any:
    if project is None:
        return False
    experiments.client()
    from pytorch_lightning.loggers import WandbLogger

    return WandbLogger(project=project, save_dir=experiments.FOLDER, offline=experiments.offline())


class Kept(Callback):  # type: ignore[misc]
    """A checkpoint every so many seconds, whole or not at all."""

    def __init__(self, file: Path, every: float) -> None:
        self.file, self.every, self.kept = file, every, time.monotonic()

    def on_fit_start(self, trainer: lightning.Trainer, heads: lightning.LightningModule) -> None:
        torch.set_num_threads(1)  # of a process that was started for this fit, too

    def on_train_epoch_end(self, trainer: lightning.Trainer, heads: lightning.LightningModule) -> None:
        due = trainer.strategy.broadcast(time.monotonic() - self.kept >= self.every)
        if not due:
            return
        draft = self.file.with_name(f".{self.file.name}")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            draft.replace(self.file)
        self.kept = time.monotonic()


class Spoken(Callback):  # type: ignore[misc]
    """A plain line now and then."""

    def __init__(self) -> None:
        self.spoken = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, heads: lightning.LightningModule) -> None:
        if trainer.is_global_zero and trainer.current_epoch:
            say(f"train: goes on after epoch {trainer.current_epoch}, where it was killed")

    def on_train_epoch_end(self, trainer: lightning.Trainer, heads: lightning.LightningModule) -> None:
        if trainer.is_global_zero and time.monotonic() - self.spoken >= 1:
            self.spoken = time.monotonic()
            loss = float(trainer.callback_metrics[UNSEEN])
            epoch = f"epoch {trainer.current_epoch + 1} of at most {trainer.max_epochs}"
            say(f"train: {epoch}, {UNSEEN} {loss:.4f}")


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's advice on workers, accelerators and its other products."""
    chatter = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch")]
    before = [one.level for one in chatter]
    for one in chatter:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(chatter, before, strict=True):
            one.setLevel(level)
