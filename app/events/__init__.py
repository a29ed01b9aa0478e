"""What happens to all executions, live: every move of a status in one order, for whoever may see it.

`store` gives the moves by position, `feed` reads them once per process and hands them to every socket, `protocol` is
how clients see them. What happens to one execution is its history (`app/executions`) and its tail (`app/logs`).
"""
