"""How the tools run a notebook."""

import asyncio
import signal
import subprocess
from typing import Any

from nbclient import NotebookClient


class Client(NotebookClient):
    """Ctrl-C ends it together with its tool; by itself it would end the kernel only, and then fail without it."""

    async def async_start_new_kernel(self, **options: Any) -> None:
        """Start the kernel, and leave out what it tells the terminal."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        await super().async_start_new_kernel(stderr=subprocess.DEVNULL, **options)
