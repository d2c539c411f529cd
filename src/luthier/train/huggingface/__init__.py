"""Names of ``ray.train.huggingface`` that scripts for ``tune`` use."""
