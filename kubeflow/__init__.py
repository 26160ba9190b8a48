"""The pipeline as a Kubeflow Pipelines v2 specification."""
