"""The local stack: everything that `make demo`, `make up` and the tests start on one machine.

For tests and other callers: `EmbeddedPostgres` (`stack.postgres`), `EmbeddedRedis` (`stack.redis`), `ensure_engine`
(`stack.engine`) and `ensure_images` (`stack.images`); `local_stack` (`stack.local`) composes them with the API and the
worker. Nothing in `app` or `worker` knows this package.
"""
