"""The ledger: every change of a job, written before anyone hears of it."""
