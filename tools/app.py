"""Serve the noise lab for a class or a talk: Voilà, with a token, and with a limit on its visitors.

    make app                                     or, without make, python tools/app.py
    make app APP_OPTIONS="--ip=0.0.0.0 --visitors=20"      for a class in the same room

Each visitor has a kernel of their own. It ends when the tab is closed; when the tab only vanishes, within a minute.
"""

import socket
import threading
import webbrowser
from pathlib import Path
from typing import ClassVar

from nbformat import NotebookNode
from tornado.ioloop import IOLoop
from tornado.web import Finish, RequestHandler
from traitlets import Integer
from traitlets.config import Config
from voila.app import Voila

FOLDER = Path(__file__).absolute().parent.parent / "notebooks" / "app"
EVERYWHERE = ("", "0.0.0.0", "::")
FULL = """<!doctype html><meta charset="utf-8"><title>Please wait</title>
<p style="font: 1.3em sans-serif; margin: 3em">All places are taken just now ({0} of {0}).
This page looks again every ten seconds, and lets you in as soon as somebody closes theirs.</p>"""


class App(Voila):
    """Voilà for this one notebook."""

    visitors = Integer(8, help="How many may come at a time; each takes 1.3 GB of memory.").tag(config=True)
    aliases: ClassVar = {**Voila.aliases, "visitors": "App.visitors", "ip": "Voila.ip"}

    def setup_template_dirs(self) -> None:
        """Put the page of this app before those of Voilà."""
        super().setup_template_dirs()
        self.template_paths = [str(FOLDER / "page"), *self.template_paths]

    def admit(self, visitor: RequestHandler, notebook: NotebookNode, cwd: str) -> None:  # noqa: ARG002
        """Send a visitor away while all places are taken."""
        kernels = {*self.kernel_manager.list_kernel_ids(), *self.kernel_manager._pending_kernels}
        if len(kernels) >= self.visitors:
            visitor.set_status(503)
            visitor.set_header("Refresh", "10")
            raise Finish(FULL.format(self.visitors))
        _ = visitor.xsrf_token  # asking for it sets a cookie, without which a tab may not end its kernel

    @property
    def display_url(self) -> str:
        """The address that the room can reach, with its token."""
        host = address_in_the_room() if self.ip in EVERYWHERE else self.ip
        return f"{self._url(host)}?token={self.identity_provider.token}"

    def launch_browser(self) -> None:
        """Open the page with its token, which Voilà leaves out."""
        threading.Thread(target=webbrowser.open, args=[self.display_url]).start()

    def say_where(self) -> None:
        """Say how a class reaches the page."""
        print(f"The noise lab is at\n\n    {self.display_url}\n")
        if self.ip in EVERYWHERE:
            print(f"Everybody in the room can open this address; {self.visitors} at a time.")
        else:
            print('Only from this machine. For a class in the room: make app APP_OPTIONS="--ip=0.0.0.0"')
        print("It ends with Ctrl+C.", flush=True)


def address_in_the_room() -> str:
    """Return the address by which other machines reach this one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            return socket.gethostname()
        return str(asked.getsockname()[0])


def main() -> None:
    """Serve it; what is said on the command line comes before what is said here."""
    app = App.instance(config=Config(
        Voila={"auto_token": True, "notebook_path": str(FOLDER / "noise_lab.ipynb")},
        MappingKernelManager={"cull_idle_timeout": 40, "cull_interval": 10},
        PasswordIdentityProvider={"allow_password_change": False},
    ))  # fmt: skip
    app.log_level = "WARN"
    app.initialize()
    app.voila_configuration.prelaunch_hook = app.admit
    IOLoop.current().add_callback(app.say_where)
    app.start()


if __name__ == "__main__":
    main()
