"""A virtual world: experiments without trainables, processes or waiting."""
