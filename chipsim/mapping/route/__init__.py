"""Routers: flows get multicast trees."""
