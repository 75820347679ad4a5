"""python -m pipeline: one stage of the night, or a word to the house."""

import argparse
import errno
import os
import sqlite3
import sys
from pathlib import Path

from inference_runtime.errors import Away, Fixable
from pipeline import told

try:
    from pipeline import chores, constancy, labelling, params, stages
    from pipeline.accounts import beside, runs
    from pipeline.watching import command as watching
except ModuleNotFoundError as missing:  # the base install is the runtime alone
    sys.exit(f"retrain-72: {missing.name} is not installed; run `make setup`")

ABOUT = {
    "pull": "bring new predictions and labels home",
    "mine": "keep the hard cases, with the reason of each",
    "synthesize": "paint variations of hard cases",
    "assemble": "make one leak-free training table",
    "train": "fit a head on the frozen backbone",
    "export": "seal the classifier into a bundle",
    "champion": "fetch the bundle the challenger must beat",
    "gate": "let challenger and champion compete",
    "publish": "push a bundle that passed to the hub",
}

# Stages that can tell beforehand what they would do.
PREVIEWED = ("synthesize",)


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.do(arguments) or 0)
    except Fixable as error:
        return _refuse(arguments.command, str(error), again=isinstance(error, Away))
    except ModuleNotFoundError as missing:
        return _refuse(arguments.command, f"{missing.name} is not installed; run `make setup`")
    except KeyboardInterrupt:
        return _refuse(arguments.command, "interrupted; run it again to go on")
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, sqlite3.OperationalError) as error:
        if not _is_full(error):
            raise
        where = getattr(error, "filename", None) or "the disk"
        line = f"{where}: no space left; free some and run again, nothing was lost"
        return _refuse(arguments.command, line)


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return error.sqlite_errorcode == sqlite3.SQLITE_FULL


def _refuse(command: str, line: str, again: bool = False) -> int:
    line = " ".join(line.split())
    told.leave(error=line, again=again)
    print(f"retrain-72: {command}: {line}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for stage in stages.NAMES:
        _add_stage(commands, stage)
    for add in (
        _add_night,
        _add_quarantine,
        _add_house,
        _add_world,
        _add_replay,
        _add_rollout,
        _add_airflow,
        watching.add,
        chores.add,
        labelling.add,
    ):
        add(commands)
    return parser


def _add_stage(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", stage: str) -> None:
    command = commands.add_parser(stage, help=ABOUT[stage], description=f"The stage {stage}: {ABOUT[stage]}.")
    command.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="file of numbers (%(default)s)"
    )
    command.add_argument(
        "--artifacts", type=Path, default=Path("artifacts"), help="folder the stages meet in (%(default)s)"
    )
    if stage in PREVIEWED:
        about = "say what would be done and what it would cost, and do nothing"
        command.add_argument("--dry-run", action="store_true", help=about)
    command.set_defaults(do=_run_stage, dry_run=False)


def _run_stage(arguments: argparse.Namespace) -> None:
    from pipeline import experiments
    from pipeline.params.tonight import tonight

    given = tonight(params.load(arguments.params))
    if arguments.dry_run:
        print(*stages.preview(arguments.command, given, arguments.artifacts), sep="\n")
        return
    folder = arguments.artifacts / arguments.command
    booked = runs.booked(arguments.command, folder)
    try:
        with (
            experiments.told(given.train.trainer.wandb, folder),
            booked,
            constancy.kept(arguments.command, arguments.params),
        ):
            stages.run(arguments.command, given, arguments.artifacts)
    finally:
        beside.write(given.prices)


def _add_night(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("night", help="one whole retraining night, through Airflow")
    command.add_argument(
        "--challenges",
        type=int,
        help="sent by the simulated validators first (params.yaml says how many on the first night, else 0)",
    )
    command.add_argument("--until", help="read the journal up to this ISO time (default: now)")
    command.set_defaults(do=_night)


def _night(arguments: argparse.Namespace) -> int:
    from pipeline import night

    return night.run(params.load(), arguments.challenges, arguments.until)


def _add_quarantine(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "what the last pull could not read, and why; exit 1 if there is anything"
    commands.add_parser("quarantine", help=about, description=about).set_defaults(do=_quarantine)


def _quarantine(_: argparse.Namespace) -> int:
    from pipeline import samples

    stages.refuse_absent(Path("artifacts/pull"))
    rows = samples.read(Path("artifacts/pull"), "quarantine.parquet")
    for file, line, _image, reason in rows.iter_rows():
        print(f"{file}, line {line}: {reason}")
    print(
        f"{rows.height} rows set aside; mend them and pull again" if rows.height else "nothing is set aside"
    )
    return int(rows.height > 0)


def _add_house(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, about in (
        ("up", "start Airflow, mongod, the FiftyOne App and the runtime"),
        ("down", "stop all of them"),
        ("status", "what runs, and where"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(do=_house)
        if name == "status":
            command.add_argument("--memory", action="store_true", help="and what each holds (PSS)")


def _house(arguments: argparse.Namespace) -> None:
    from pipeline import services

    match arguments.command:
        case "up":
            _up()
        case "down":
            services.down()
        case "status":
            services.status(arguments.memory)


def _up() -> None:
    from pipeline import hub, night, services, simulation

    given = params.load()
    simulation.seed(given)
    reigns = hub.reigning(hub.at(given.hub)) is not None  # else there is nothing to serve yet
    services.up(champion=(lambda: night.champion(given)) if reigns else None)
    services.status()


def _add_world(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    world = commands.add_parser("world", help="the simulated network: challenges, and people who label")
    acts = world.add_subparsers(dest="act", required=True, metavar="ACT")
    acts.add_parser("seed", help="paint the base and gold sets and train a first champion on little")
    play = acts.add_parser("play", help="send challenges to the running runtime")
    play.add_argument("count", type=int, nargs="?", default=200)
    play.add_argument("--url", help="the runtime (default: the one that `up` started)")
    acts.add_parser("label", help="label what `mine` selected, as people would, in FiftyOne")
    world.set_defaults(do=_world)


def _world(arguments: argparse.Namespace) -> None:
    from pipeline import simulation

    match arguments.act:
        case "seed":
            simulation.seed(params.load())
        case "play":
            simulation.play(params.load(), arguments.count, arguments.url)
        case "label":
            simulation.label(params.load(), Path("artifacts"))


def _add_replay(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "play a validator's campaign and say what it would have paid"
    command = commands.add_parser("replay", help=about, description=about)
    who = command.add_mutually_exclusive_group(required=True)
    who.add_argument("--bundle", type=Path, help="folder of the bundle that answers")
    who.add_argument("--url", help="or address of a runtime, like http://127.0.0.1:8072")
    command.add_argument("--profile", choices=("2026-01", "letterbox", "native"), default="2026-01")
    command.add_argument("--challenges", type=int, default=1000, help="how many (%(default)s)")
    command.add_argument("--seed", type=int, default=72, help="the same seed, the same bytes (%(default)s)")
    command.add_argument(
        "--data", default="gold", help="gold, or a folder with labels.csv (file,label,tags,source)"
    )
    command.add_argument(
        "--out", type=Path, default=Path("var/replay"), help="where to keep JSON and picture"
    )
    command.set_defaults(do=_replay)


def _replay(given: argparse.Namespace) -> None:
    from pipeline import replay

    if given.challenges < 1:
        raise Fixable("--challenges: a campaign has at least one")
    names = ("bundle", "url", "profile", "challenges", "seed", "data", "out")
    replay.run(params.load(), replay.Wanted(**{name: getattr(given, name) for name in names}))


def _add_rollout(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "bring the running fleet onto the champion: shadow, canary, all"
    rollout = commands.add_parser("rollout", help=about, description=about)
    rollout.add_argument("--history", action="store_true", help="what was done to the fleet so far")
    about = "one look at what serves: its answers, what people said of them, its age"
    commands.add_parser("watch", help=about, description=about).set_defaults(do=_watch)
    about = "take the champion back: the one before it serves again, at once"
    rollback = commands.add_parser("rollback", help=about, description=about)
    rollback.add_argument("--why", default="a person said so", help="for the journal (%(default)s)")
    rollout.set_defaults(do=_rollout)
    rollback.set_defaults(do=_rollback)


def _rollout(arguments: argparse.Namespace) -> None:
    from pipeline import rollout

    if arguments.history:
        rollout.history()
    else:
        with runs.booked(arguments.command, Path("var/rollout")):
            rollout.run(params.load())


def _watch(_: argparse.Namespace) -> None:
    from pipeline import rollout
    from pipeline.watching import look

    try:
        rollout.watch(params.load())
    finally:  # what keeps the fleet from being looked at is itself worth a look
        look.take(params.load())


def _rollback(arguments: argparse.Namespace) -> None:
    from pipeline import rollout

    rollout.back(params.load(), arguments.why)


def _add_airflow(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("airflow", help="the airflow command, in this house's environment")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="...")
    command.set_defaults(do=_airflow)


def _airflow(arguments: argparse.Namespace) -> int:
    from pipeline.services import airflow

    return airflow.cli([word for word in arguments.words if word != "--"])


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
