"""What every action needs: configuration, the HTTP contract, Postgres, Redis, mail."""
