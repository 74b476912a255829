"""The whole of Keypulse on one machine in minutes: real servers, a simulated market, and checks at the end."""
