from luthier.sweeps.config.policy_class import Written

# For type checkers: the modules and classes here are made of a table when this is imported.
def __getattr__(name: str) -> type[Written]: ...
