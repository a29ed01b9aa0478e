"""The log pipeline, from a container's bytes to every watcher.

    pump (worker) → records → frames, encoded once → group commit → published → hub (API) → sockets

`records.py` cuts bytes into records, `protocol.py` is the wire format, `store.py` reads frames from Postgres, `tail.py`
is the one reader that everybody uses, `narrowing.py` leaves of it what somebody asked for, `view.py` gives it a shape.
"""
