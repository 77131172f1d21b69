"""The routing mesh: a compiled event-driven engine and its simpy reference."""
