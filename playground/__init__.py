"""A local stand-in for Discord's server, and a page to talk to a bot through it."""
