"""What is known of each keyword, and to whom it may be shown."""
