"""What the house does beside its nights: count what waits, keep copies, throw away."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "count the hard cases that no night has seen; enough of them do not wait for the clock"
    commands.add_parser("buffer", help=about, description=about).set_defaults(do=_buffer)
    about = "copy what cannot be made again into backup.store: labels, pictures, models, DVC's books"
    commands.add_parser("backup", help=about, description=about).set_defaults(do=_backup)
    _add_restore(commands)
    about = "throw away what no night needs again: old logs, drafts, checkpoints, what DVC no longer names"
    tidy = commands.add_parser("tidy", help=about, description=about)
    tidy.add_argument("--dry-run", action="store_true", help="say what would go, and keep it")
    tidy.set_defaults(do=_tidy)


def _add_restore(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "bring the house back as it stood when a copy was taken"
    restore = commands.add_parser("restore", help=about, description=about)
    restore.add_argument(
        "--store", help="folder or s3://bucket/prefix (default: backup.store of params.yaml)"
    )
    restore.add_argument("--at", metavar="STAMP", help="which copy (default: the newest)")
    restore.add_argument("--list", action="store_true", help="name the copies there are")
    restore.add_argument("--over", action="store_true", help="replace files that differ from the copy's")
    restore.set_defaults(do=_restore)


def _buffer(_: argparse.Namespace) -> None:
    from pipeline import params
    from pipeline.chores import buffer

    buffer.run(params.load())


def _backup(_: argparse.Namespace) -> None:
    from pipeline import params
    from pipeline.chores.copies import keep

    keep.run(params.load())


def _restore(given: argparse.Namespace) -> None:
    from pipeline import params
    from pipeline.chores.copies import restore

    store = given.store or params.load(Path("params.yaml")).backup.store
    if given.list:
        print(*restore.listed(store), sep="\n")
    else:
        restore.run(store, given.at, given.over)


def _tidy(given: argparse.Namespace) -> None:
    from pipeline import params
    from pipeline.chores import tidy

    tidy.run(params.load(), dry=given.dry_run)
