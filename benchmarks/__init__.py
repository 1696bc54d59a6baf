"""Programs that measure; nothing imports them but tests."""

import engines  # noqa: F401  before a file that imports OpenVINO itself: it would post that it was started
