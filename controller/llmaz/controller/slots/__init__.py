"""Slots: pods that own accelerators in the scheduler's ledger, and in which engines run."""
