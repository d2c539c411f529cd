"""What the server's database says, for pages and for REST: questions that change nothing."""
