"""Who runs trials: in this process, in processes of their own."""
