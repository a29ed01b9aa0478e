"""Postgres: engine, declarative base, transactions."""
