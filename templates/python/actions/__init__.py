"""The project's actions: one module for each.

actions_gen.py lists them and types_gen.py has their GraphQL types; nself rewrites both. Everything else is yours.
"""
