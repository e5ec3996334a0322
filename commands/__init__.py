"""What people type, press and react with, and the words they read."""
