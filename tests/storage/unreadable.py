"""A file that nobody can read, not even root, whom permissions do not stop."""

from pathlib import Path


def make_unreadable(path: Path) -> None:
    """Replace a file by a link to this process's memory: it opens, but reading its first page, never mapped, fails."""
    path.unlink(missing_ok=True)
    path.symlink_to("/proc/self/mem")
