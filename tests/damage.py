"""Damages files in place."""

from pathlib import Path


def change_a_byte(path: Path, offset: int) -> None:
    """Change the byte at an offset, also of a file that is read-only, and keep the file."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
