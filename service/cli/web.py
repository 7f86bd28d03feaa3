"""``stinger web``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from service.base.logs import get_logger, set_up_logging
from service.cli.broker_options import broker_options_with
from service.cli.event_loop import on_signals, run_on_loop
from service.cli.retry_later import retry_later
from service.cli.watch import DATA_DIR_VARIABLE, watched_broker
from service.config.broker_address import LOOPBACK
from service.config.topic_root import TopicRoot
from service.round_trip.blaster_address import FORMS, resolve_address
from service.sources.port_discovery import all_ports, find_blasters
from service.web.action_settings import PortChoice
from service.web.passwords import Password, read_password_hash, write_password_hash
from stinger.cli.options import ANY_FOLDER
from stinger.errors import InputError
from stinger.paths import data_dir as data_folder

DEFAULT_PORT = 8420
_NICENESS = 5
_LOG = get_logger(__name__)


class _NamedLink(click.ParamType[tuple[str, str]]):
    """A name and an address, such as ``Grafana=http://localhost:3000``."""

    name = "NAME=URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, _, address = str(value).partition("=")
        if not name or not address.startswith(("http://", "https://")):
            self.fail(f"expected NAME=URL, such as Grafana=http://localhost:3000, not {value!r:.80}", param, ctx)
        return name, address


class _NamedBlaster(click.ParamType[PortChoice]):
    """A name and the address of a blaster, such as ``bridge=tcp://192.168.1.20:4000``."""

    name = "NAME=ADDRESS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PortChoice:
        if isinstance(value, PortChoice):
            return value
        name, _, address = str(value).partition("=")
        if not name or not address:
            self.fail(f"expected NAME=ADDRESS, such as bridge=tcp://192.168.1.20:4000, not {value!r:.80}", param, ctx)
        try:
            return PortChoice(str(resolve_address(address)), name, is_blaster=True)
        except InputError:
            self.fail(f"{address!r:.80} is no address of a blaster: expected {FORMS}", param, ctx)


@click.command(short_help="Serve the page for people: live view, recordings, training.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="Port; 0 for a free one."
)
@click.option(
    "--host",
    default=LOOPBACK,
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on. Any but this machine's own needs --password-file.",
)
@click.option(
    "--password-file",
    type=ANY_FOLDER,
    metavar="FILE",
    help="File with the hash of the page's password, as --new-password writes it.",
)
@click.option("--new-password", is_flag=True, help="Ask for a password, write its hash to --password-file, and end.")
@click.option("--tls-certificate", type=ANY_FOLDER, metavar="FILE", help="Certificate (PEM): serve over HTTPS.")
@click.option("--tls-key", type=ANY_FOLDER, metavar="FILE", help="The certificate's key (PEM), without a passphrase.")
@click.option(
    "--config",
    "config_file",
    type=ANY_FOLDER,
    metavar="FILE",
    help="The daemon's TOML file, whose settings are used for training.",
)
@click.option(
    "--metrics-link",
    "metrics_links",
    multiple=True,
    type=_NamedLink(),
    help="A page with metrics to link to, such as Grafana=http://localhost:3000. May be repeated.",
)
@click.option(
    "--blaster",
    "blasters",
    multiple=True,
    type=_NamedBlaster(),
    help="A blaster that is not at a USB port of this machine, such as bridge=tcp://192.168.1.20:4000, to choose under "
    "Personalise. May be repeated.",
)
@broker_options_with("--broker-password-file")
def web(
    *,
    port: int,
    host: str,
    password_file: Path | None,
    new_password: bool,
    tls_certificate: Path | None,
    tls_key: Path | None,
    config_file: Path | None,
    metrics_links: tuple[tuple[str, str], ...],
    blasters: tuple[PortChoice, ...],
    broker: str,
    topic_root: TopicRoot,
    data_dir: Path | None,
    broker_password_file: Path | None,
    ca_file: Path | None,
) -> None:
    """Serve a page to a browser, for all of the daily work with blasters. Ctrl-C ends it.

    \b
    stinger web
    stinger web --new-password --password-file page-password
    stinger web --host 0.0.0.0 --password-file page-password

    It shows blasters live, recordings and models, and trains, puts models on a blaster, runs the bench, and reports the
    installation's health. It connects to a running daemon's broker, and reads and changes the daemon's data folder. The
    password for the broker is given as for 'stinger watch'; that of an embedded broker is read from the data folder.
    """  # noqa: D301 - click needs the backspace itself
    from service.web.server import PageSettings, serve

    if new_password:
        _make_password(password_file)
        return
    set_up_logging("warning")
    password = None if password_file is None else read_password_hash(password_file)
    _check_reach(host, password, tls_certificate, tls_key)
    folder = data_folder(data_dir or os.environ.get(DATA_DIR_VARIABLE) or None)
    settings = PageSettings(
        host=host,
        port=port,
        data_dir=folder,
        find_broker=lambda: watched_broker(broker, broker_password_file, ca_file, os.environ, data_dir),
        root=topic_root,
        password=password,
        certificate=tls_certificate,
        key=tls_key,
        config_file=config_file,
        metrics_links=dict(metrics_links),
        list_ports=lambda: [*blasters, *_list_ports()],
    )

    def announce(address: str) -> None:
        _give_way()  # not before: on a busy machine, starting would take three times as long
        click.echo(f"page: {address}")

    async def serve_until_signal() -> None:
        stop = asyncio.Event()
        on_signals(asyncio.get_running_loop(), stop.set)
        await serve(settings, announce, stop)

    with retry_later():
        run_on_loop(serve_until_signal())


def _give_way() -> None:
    """Give other processes precedence over this one, and over what it starts: a daemon here is not to wait for it."""
    if hasattr(os, "nice"):
        os.nice(max(0, _NICENESS - os.nice(0)))


def _list_ports() -> list[PortChoice]:
    """Return the serial ports of this machine: first those that are a blaster's, by their USB identity."""
    blasters = [
        PortChoice(port.path, f"a blaster, serial number {port.serial_number or 'unknown'}", is_blaster=True)
        for port in find_blasters()
    ]
    found = {port.path for port in blasters}
    others = [PortChoice(path, "" if text == "n/a" else text) for path, text in all_ports() if path not in found]
    return [*blasters, *others]


def _make_password(path: Path | None) -> None:
    if path is None:
        raise InputError("--new-password: name the file to write with --password-file")
    write_password_hash(path, click.prompt("Password of the page", hide_input=True, confirmation_prompt=True))
    click.echo(f"Written: {path}")


def _check_reach(host: str, password: Password | None, certificate: Path | None, key: Path | None) -> None:
    """Raise :class:`InputError` for a page that others could open without a password, and for half of a certificate."""
    from service.web.access import LOOPBACK_HOSTS

    if host not in LOOPBACK_HOSTS and password is None:
        raise InputError(f"--host {host}: others can open the page there, so it needs --password-file")
    if (certificate is None) != (key is None):
        raise InputError("--tls-certificate and --tls-key belong together: give both or neither")
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: no such file")
    if host not in LOOPBACK_HOSTS and certificate is None:
        _LOG.warning("page_not_encrypted", host=host, remedy="give --tls-certificate and --tls-key")
