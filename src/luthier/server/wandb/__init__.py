"""What W&B's own client asks for: GraphQL by the operation's name, streams of rows, uploads."""
