"""Names of ``ray.train.tensorflow`` that scripts for ``tune`` use."""
