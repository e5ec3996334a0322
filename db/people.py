"""What people chose, keep and may; what operators did; and what is known of one person."""
from db.store import Store


class People:
    def __init__(self, store: Store, clock: object) -> None: ...
