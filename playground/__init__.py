"""A local stand-in for Discord's server, and a page to talk to a bot through it.

What is inside, from the ground up: `records`, `snowflake`, `refusal` and `permissions` are values and
rules. `world` holds all state, keeps it (`store`) and tells it (`events`, `view`); `shape`, `links` and
`session` say how it looks on the wire. `draft`, `components`, `commands` and `filling` are Discord's rules
for messages, buttons, commands and what a client sends. `interactions` is the life of a question to the bot.
`api` with `rest`, `gateway` and `cdn` speak to the bot; `person` (and `page`) act for people. `limits`,
`faults`, `journal` and `judge` make days bad and see what happened. `server` puts it all together, for tests
(`fixtures`) and for `python -m playground`.
"""
