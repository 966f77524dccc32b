"""The parent of one engine: a small process that outlives the agent and never lets the engine go.

It starts its engine, keeps its output and its exit code, and ends it with every process that it
ever started. The agent talks to it over a Unix socket (protocol.py) and may die and come back at
any time. Standard library only, and little of it: each engine pays for one shim in memory. It
changes rarely, since it goes on running in its old version when the agent is upgraded.
"""
