"""The sweep service: one database, one web page, agents anywhere."""
