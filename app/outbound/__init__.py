"""Connections to where others say: receivers of webhooks, files to fetch. Nothing else may be reached by them.

`policy` says what may be connected to, `client` connects. Whoever has a URL from outside goes through here.
"""
