INSERT INTO users (email, name, password_hash) VALUES ('seed@example.com', 'Seed', 'x') ON CONFLICT DO NOTHING;
