"""Webhooks: what happens to executions, sent to servers of their owners, signed, and again until it arrives.

`following` makes deliveries of events, in the transaction that moves its cursor; `outbox` keeps them until they have
arrived; `worker/webhooks.py` sends them. `model` has the rules of both, and of when a receiver is left alone.
"""
