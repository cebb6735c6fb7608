"""Tests of the service, with a real Postgres and a real Redis."""
