"""The routes of the HTTP API, by resource."""

from playground.api import Route
from playground.rest import applications, interactions, messages, places, reactions

ROUTES: tuple[Route, ...] = (
    *applications.ROUTES,
    *interactions.ROUTES,
    *messages.ROUTES,
    *places.ROUTES,
    *reactions.ROUTES,
)
