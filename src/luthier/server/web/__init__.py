"""Pages: made by the server, alive by server-sent events.  ``luthier.server.web.pages.router`` is all of them."""
