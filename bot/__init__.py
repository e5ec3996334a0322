"""The program: settings, Discord's client, delivery; where all objects meet."""
