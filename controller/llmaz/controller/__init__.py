"""The controller: which engine runs on which node, and what the objects say about it.

It looks (observe.py) at every object once and freezes what it saw as a ClusterSnapshot. It decides
(plan.py) over that one value: resolve Playgrounds to Services, place the Services' replicas on
nodes, assign engines, publish endpoints, set statuses. It acts (perform.py) on the difference.
Nothing is remembered between two rounds but what the API server holds.
"""
