"""How many replicas an elastic Playground has: measured, decided (pure), written."""
