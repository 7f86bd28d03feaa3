"""``stinger synth``."""

from __future__ import annotations

import click

from models.synthetic import session_users, synthesise
from stinger.cli.options import ANY_PATH
from stinger.logs import log_format_of, write_log
from stinger.recording import split_recordings
from stinger.shots import find_shots


@click.command(short_help="Generate a synthetic session.")
@click.option("--minutes", type=float, default=15, show_default=True, help="How long, by the blaster's clock.")
@click.option("--seed", type=int, default=1, show_default=True, help="What happens, and by default who plays.")
@click.option("-o", "--output", required=True, type=ANY_PATH, metavar="FILE", help="Ends in .bin or .csv.")
@click.option("--users", type=int, default=1, show_default=True, help="How many people take turns, round by round.")
@click.option(
    "--user",
    "first_user",
    type=int,
    help="Number of the first user: the same person under every seed.  [default: drawn by the seed]",
)
@click.option("--boots", type=int, default=1, show_default=True, help="Equal parts, each with its clock from 0.")
@click.option(
    "--still-pause/--no-still-pause",
    default=True,
    show_default=True,
    help="Whether the logger pauses, as a real one does, once the blaster has lain still for 1.5 s.",
)
def synth(
    *, minutes: float, seed: int, output: str, users: int, first_user: int | None, boots: int, still_pause: bool
) -> None:
    """Make a synthetic session: people who walk, handle, aim, shoot or do not, as a blaster would log it.

    The same options give the same file. It serves to exercise the software, not to judge a model: what a model is worth
    shows on real recordings only.
    """
    log_format_of(output)  # a wrong ending is found before the work
    people = session_users(seed, users, first_user)
    samples = synthesise(
        minutes=minutes, seed=seed, users=users, first_user=first_user, boots=boots, still_pause=still_pause
    )
    write_log(output, samples)
    shots = sum(int(find_shots(recording).accepted.sum()) for recording in split_recordings(samples))
    who = f"user {people[0]}" if users == 1 else f"users {people[0]} to {people[-1]}"
    click.echo(f"{output}: {samples.shape[0]:,} samples, {shots:,} shots, {who}")
