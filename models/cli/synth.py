"""``stinger synth``."""

from __future__ import annotations

import click

from models.synthetic import session_users, synthesise
from stinger.cli.options import ANY_PATH
from stinger.logs import log_format_of, write_log
from stinger.recording import split_recordings
from stinger.shots import find_shots


@click.command(short_help="Generate a synthetic session.")
@click.option("--minutes", type=float, default=15, show_default=True, help="Duration by the blaster's clock.")
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Random seed of the session and, without --user, of its users.",
)
@click.option("-o", "--output", required=True, type=ANY_PATH, metavar="FILE", help="The file to write, .bin or .csv.")
@click.option("--users", type=int, default=1, show_default=True, help="Number of users, who take turns round by round.")
@click.option(
    "--user",
    "first_user",
    type=int,
    help="ID of the first user: the same person for every seed.  [default: drawn with the seed]",
)
@click.option("--boots", type=int, default=1, show_default=True, help="Number of equal parts, each starting at time 0.")
@click.option(
    "--still-pause/--no-still-pause",
    default=True,
    show_default=True,
    help="Pause logging while the blaster lies still for more than 1.5 s, as a real logger does.",
)
def synth(
    *, minutes: float, seed: int, output: str, users: int, first_user: int | None, boots: int, still_pause: bool
) -> None:
    """Generate a synthetic session, as a blaster would log it: users walk, handle the blaster, aim, and shoot or not.

    The same options give the same file. Use it to try the software, not to judge a model: only real recordings show
    how good a model is.
    """
    log_format_of(output)  # report a wrong suffix before the work
    people = session_users(seed, users, first_user)
    samples = synthesise(
        minutes=minutes, seed=seed, users=users, first_user=first_user, boots=boots, still_pause=still_pause
    )
    write_log(output, samples)
    shots = sum(int(find_shots(recording).accepted.sum()) for recording in split_recordings(samples))
    users_text = f"user {people[0]}" if users == 1 else f"users {people[0]} to {people[-1]}"
    click.echo(f"{output}: {samples.shape[0]:,} samples, {shots:,} shots, {users_text}")
