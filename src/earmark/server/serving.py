"""The page on a port: bound before it is announced, with a link where others are let in, until Ctrl-C."""

from __future__ import annotations

import errno
import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.errors import UserError
from earmark.files import replacing
from earmark.server.security import Rules, new_token

if TYPE_CHECKING:
    from earmark.labelling.project import Project

PORT = 8642
_TRIES = 20
_GRACE_SECONDS = 3


@dataclass(frozen=True)
class Address:
    """Where the page is served."""

    host: str = "127.0.0.1"
    """Name or number of the network that is listened to."""
    port: int = PORT
    """0: any free one."""
    share: bool = False
    """Whether others than this machine are let in, by a link."""
    browser: bool = True
    """Whether a browser is opened."""


def serve(project: Project, address: Address, say: Callable[[str], None]) -> None:
    """Serve the page until it is interrupted.

    Args:
        project: what is labelled.
        address: where.
        say: told the address, and what it means.

    Raises:
        UserError: the port is taken, or the address is not this machine's.
    """
    import uvicorn

    from earmark.server.app import create_app
    from earmark.server.sound import Sounds

    check_address(address)
    with bound(address) as listening:
        port = listening.getsockname()[1]
        token = link_token(project.id) if address.share else None
        sounds = Sounds()
        app = create_app(project, sounds, Rules(token, f"earmark-{port}"))
        links = addresses(address, port, token)
        _announce(links, address, say)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = uvicorn.Server(config)
        threading.Thread(target=sounds.warm, daemon=True).start()
        if address.browser:
            threading.Thread(target=_open, args=(links[0], say), daemon=True).start()
        server.run(sockets=[listening])


def check_address(address: Address) -> None:
    """Refuse to listen beyond this machine without a link.

    Raises:
        UserError: such a host without `share`.
    """
    if not address.share and address.host not in ("127.0.0.1", "localhost", "::1"):
        raise UserError(
            f"--host {address.host}",
            "others could reach the page there without a link",
            "Add --share, which prints a link with a token; without it the page is for this machine alone.",
        )


def bound(address: Address) -> socket.socket:
    """A socket that is bound and listens.

    Raises:
        UserError: the port is taken (and which is free), may not be used, or the host is not this machine's.
    """
    try:
        return _bind(address.host, address.port)
    except OSError as error:
        where = f"--host {address.host} --port {address.port}"
        if error.errno == errno.EADDRINUSE:
            free = _free_port(address)
            remedy = f"Port {free} is free: --port {free}. " if free else ""
            raise UserError(
                f"--port {address.port}",
                "another program listens there already (another earmark label?)",
                f"{remedy}--port 0 takes any free one.",
            ) from error
        if error.errno == errno.EACCES:
            raise UserError(where, "this port is kept for the system", "Choose one above 1023.") from error
        raise UserError(
            where,
            f"cannot be listened to: {error.strerror or error}",
            "Name an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them.",
        ) from error


def link_token(project_id: str, folder: Path | None = None) -> str:
    """The token of a project's link: the same after a restart, readable by nobody else."""
    from earmark.cache import cache_folder

    path = (folder or cache_folder() / "labelling") / f".link-{project_id}"
    try:
        kept = path.read_text("ascii").strip()
        if len(kept) >= 32:
            return kept
    except (OSError, ValueError):
        pass
    token = new_token()
    try:
        with replacing(path) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(token + "\n")
    except (UserError, OSError):
        pass  # then the link changes with the next start
    return token


def addresses(address: Address, port: int, token: str | None) -> list[str]:
    """Links to the page: for this machine first, then those for others."""
    ending = f":{port}/" + (f"?key={token}" if token else "")
    host = f"[{address.host}]" if ":" in address.host else address.host
    if address.host in ("0.0.0.0", "::"):
        return [f"http://{name}{ending}" for name in ("127.0.0.1", _own_address(address.host))]
    return [f"http://{host}{ending}"]


def _announce(links: list[str], address: Address, say: Callable[[str], None]) -> None:
    if not address.share:
        say(f"labelling page: {links[0]}   (this machine only; Ctrl-C ends it)")
        return
    say(f"labelling page: {links[0]}   (Ctrl-C ends it)")
    say(f"for others: {links[-1]}")
    say(
        "Whoever has this link can listen and answer. It is not encrypted: use it in a network that you trust."
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # right after a restart
        one.bind((host, port))
        one.listen(128)
    except BaseException:
        one.close()
        raise
    return one


def _free_port(address: Address) -> int | None:
    for port in range(address.port + 1, min(65536, address.port + _TRIES)):
        try:
            _bind(address.host, port).close()
        except OSError:
            continue
        return port
    return None


def _own_address(host: str) -> str:
    """The address that others in the network know this machine by; nothing is sent."""
    family, far = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            one.connect((far, 9))
            found = str(one.getsockname()[0])
        except OSError:
            found = socket.gethostname()
    return f"[{found}]" if ":" in found else found


def _open(link: str, say: Callable[[str], None]) -> None:
    try:
        opened = webbrowser.open(link)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        say("No browser could be opened: open the address by hand.")
