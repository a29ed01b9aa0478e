"""Notifications: people are told, by mail or chat, how executions ended, or that something fails again and again.

`model` has the rules of what is said when, `following` writes what is to be said in the transaction that passes the
event, `channels` sends it through Apprise, which speaks to the services. `worker/notifications.py` does so.
"""
