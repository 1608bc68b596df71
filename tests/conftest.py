"""What every test run stands on: the network fence, and the parts of a machine a test may need.

Fixtures that build a line, its carriers and its people live in tests/world.py, not here.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.fence import sitecustomize as fence

fence.raise_fence()
# Every process that a test starts inherits the fence with its environment.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(fence.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)

pytest_plugins = ["tests.databases", "tests.vaults", "tests.houses", "tests.world"]  # each says which fixtures it has

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def need(thing: str, found: str | None) -> str:
    """`found`, or leave this test out and say so. With HARBORLINE_REQUIRE=all a missing part is a failure."""
    if found:
        return found
    if os.environ.get("HARBORLINE_REQUIRE") == "all":
        pytest.fail(f"{thing} is missing, and HARBORLINE_REQUIRE=all leaves nothing out")
    pytest.skip(f"LEFT OUT: {thing} is missing (.ci/needs says how to get it)")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for Playwright's `executable_path`."""
    return need("Chromium", next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None))
