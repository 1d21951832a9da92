"""Serve the noise explorer for a class or a talk: Voilà, with a token, and with a limit on its visitors.

    make app                             or, without make, python tools/app.py
    make app APP_OPTIONS=--visitors=20

Each visitor has a kernel of their own. It ends when the tab is closed; when the tab only vanishes, within a minute.
"""

import threading
import webbrowser
from pathlib import Path
from typing import ClassVar

from nbformat import NotebookNode
from tornado.web import Finish, RequestHandler
from traitlets import Integer
from traitlets.config import Config
from voila.app import Voila

NOTEBOOK = Path(__file__).absolute().parent.parent / "notebooks" / "app" / "noise_explorer.ipynb"
FULL = """<!doctype html><meta charset="utf-8"><title>Please wait</title>
<p style="font: 1.3em sans-serif; margin: 3em">All places are taken just now ({0} of {0}).
This page looks again every ten seconds, and lets you in as soon as somebody closes theirs.</p>"""


class App(Voila):
    """Voilà for this one notebook."""

    visitors = Integer(8, help="How many may come at a time; each takes 1.3 GB of memory.").tag(config=True)
    aliases: ClassVar = {**Voila.aliases, "visitors": "App.visitors"}

    def admit(self, visitor: RequestHandler, notebook: NotebookNode, cwd: str) -> None:  # noqa: ARG002
        """Send a visitor away while all places are taken."""
        kernels = {*self.kernel_manager.list_kernel_ids(), *self.kernel_manager._pending_kernels}
        if len(kernels) >= self.visitors:
            visitor.set_status(503)
            visitor.set_header("Refresh", "10")
            raise Finish(FULL.format(self.visitors))
        _ = visitor.xsrf_token  # asking for it sets a cookie, without which a tab may not end its kernel

    def launch_browser(self) -> None:
        """Open the page with its token, which Voilà leaves out."""
        address = f"{self.connection_url}?token={self.identity_provider.token}"
        threading.Thread(target=webbrowser.open, args=[address]).start()


def main() -> None:
    """Serve it; what is said on the command line comes before what is said here."""
    app = App.instance(config=Config(
        Voila={"auto_token": True, "notebook_path": str(NOTEBOOK)},
        MappingKernelManager={"cull_idle_timeout": 40, "cull_interval": 10},
        PasswordIdentityProvider={"allow_password_change": False},
    ))  # fmt: skip
    app.initialize()
    app.voila_configuration.prelaunch_hook = app.admit
    app.start()


if __name__ == "__main__":
    main()
