"""tools/execution.py: an explorer never makes the client wait for a message that has come."""

import asyncio
import time

from nbclient.output_widget import OutputWidget
from nbformat.v4 import new_code_cell, new_notebook

import execution

EXPLORER = """\
from course_utils import widgets
widgets.explore(lambda d: print("d is", d), d=[1, 2, 3])
"""


def test_an_explorer_hears_the_end_of_its_cell_while_it_sends(tmp_path, monkeypatch):
    """The client is made so slow that the cell has ended before anything is sent to the kernel."""
    sent, send = [], OutputWidget.send

    def send_late(widget, *arguments, **keywords):
        time.sleep(0.5)
        send(widget, *arguments, **keywords)
        sent.append(arguments)

    monkeypatch.setattr(OutputWidget, "send", send_late)
    client = execution.client(new_notebook(cells=[new_code_cell(EXPLORER)]), tmp_path)

    async def run():
        async with client.async_setup_kernel():
            await asyncio.wait_for(client.async_execute_cell(client.nb.cells[0], 0), timeout=60)

    asyncio.run(run())
    assert sent, "the explorer sends messages"
