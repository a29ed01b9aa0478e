"""The log pipeline, from a container's bytes to every watcher.

    pump (worker) → records → frames, encoded once → group commit → published → hub (API) → sockets

`records.py` cuts bytes into records, `protocol.py` is the wire format, `store.py` keeps frames in Postgres,
`bus.py` carries them live over Redis, `tail.py` is the one reader that everybody uses.
"""
