"""The pipeline stages: Params, column checks on the driver, saving and loading."""

__all__: list[str] = []
