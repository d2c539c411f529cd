"""Who may do what on the server: keys, roles, sessions, limits."""
