"""The program of one node: it reports the accelerators, holds the weights and runs the engines.

It watches its own InferenceNode alone: the spec says what to hold and to run, the status is what
it sees. Without the API server it goes on with the last assignment it knows.
"""
