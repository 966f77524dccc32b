"""The OpenAI front door: one endpoint in front of every Playground.

It watches Playgrounds (which names there are, and why one waits) and the EndpointSlices of their
engines (where requests may go), and passes requests through: the body as it came, the answer as
it comes. It keeps nothing of its own, so any number of gateways may run.
"""
