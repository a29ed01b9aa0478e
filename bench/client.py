"""What it costs to import the client, beside httpx, which it needs only when it asks something.

Run it with `make bench`, or alone with `python -m bench.client`.
"""

from __future__ import annotations

import subprocess
import sys

ROUNDS = 7
PROGRAM = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"


def import_seconds(*modules: str, rounds: int = ROUNDS) -> list[float]:
    """Processor time for the import of each, in fresh processes by turns: the least of several."""
    least = dict.fromkeys(modules, float("inf"))
    for _ in range(rounds):
        for module in modules:
            program = [sys.executable, "-c", PROGRAM.format(module)]
            said = subprocess.run(program, capture_output=True, check=True, text=True).stdout
            least[module] = min(least[module], float(said))
    return list(least.values())


def main() -> None:
    """Print one line."""
    client, httpx = import_seconds("tailrace", "httpx")
    print(f"import tailrace: {client * 1000:.0f} ms of a processor, {client / httpx:.2f} of `import httpx`")


if __name__ == "__main__":
    main()
