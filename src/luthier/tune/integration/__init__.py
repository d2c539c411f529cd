"""What training libraries are given to report to a trial: callbacks for Keras, Lightning, XGBoost and others.

Each module needs its library: ``pip install 'luthier[keras]'`` and so on.
"""
