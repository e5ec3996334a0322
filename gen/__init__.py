"""The core: what a clip is and how it comes to be, knowing neither Discord nor SQL."""
