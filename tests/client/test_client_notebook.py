"""The client in a real notebook, which has no terminal and no event loop of its own to wait on."""

import nbclient
import nbformat

CELLS = (
    "from tailrace.testing import Server; server = Server(); server.__enter__(); client = server.client()",
    "handle = client.run('train:1', name='mine'); handle",
    "handle.wait(progress=True)",
    "other = await server.async_client().run('train:1'); await other.wait(progress=True)",
    "client.close(); server.__exit__(None, None, None)",
)


async def test_a_notebook_shows_handles_and_a_bar_without_any_widgets() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    await nbclient.NotebookClient(notebook, kernel_name="python3").async_execute()
    _, handle, waited, awaited, _ = (cell["outputs"] for cell in notebook["cells"])
    assert "<b>mine</b>" in handle[0]["data"]["text/html"]
    for shown in (waited, awaited):
        # The bar, in one place from the beginning to the end, and the record; no warning of anybody's.
        assert [output["output_type"] for output in shown] == ["display_data", "execute_result"]
        assert "succeeded" in shown[0]["data"]["text/html"]
        assert "status='succeeded'" in shown[1]["data"]["text/plain"]
