"""Panels that several tests use, made once."""

import pytest

import transect


def pytest_report_header():
    return f"transect: {transect.BIN}"


def pytest_configure():
    if not transect.BIN.exists():
        raise pytest.UsageError(f"{transect.BIN} is missing; run `cargo build --release` or set TRANSECT_BIN")


class Panel:
    """A source folder and the store built from it."""

    def __init__(self, source, store, date):
        self.source = source
        self.store = store
        self.date = date
        self.files = transect.inputs(source)


@pytest.fixture(scope="session", params=["barra", "ohlcv"])
def panel(request, tmp_path_factory):
    """A synthetic panel, for what holds for any."""
    return synthetic(request.param, tmp_path_factory)


@pytest.fixture(scope="session")
def barra(tmp_path_factory):
    """A synthetic panel of doubles with nulls and of dummies."""
    return synthetic("barra", tmp_path_factory)


def synthetic(preset, tmp_path_factory):
    home = tmp_path_factory.mktemp(preset)
    made = transect.synth(home / "source", "--preset", preset, "--stocks", 40, "--dates", 300, "--seed", 11)
    panel = Panel(home / "source", home / "store", "trade_date")
    assert made["files"] == len(panel.files) == 40
    transect.build(panel.source, panel.store)
    return panel
