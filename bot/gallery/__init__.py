"""The gallery: people's clips on a page of the bot's own, behind Discord's sign-in, and links to files."""
