from tests.bundle.conftest import home, tiny

__all__ = ["home", "tiny"]
