"""Handlers, one module a group of routes."""
