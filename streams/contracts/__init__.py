"""What is said on the topics: events, messages, their schemas, how they may change, and why a record is refused."""
